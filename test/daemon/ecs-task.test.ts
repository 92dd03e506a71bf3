import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type EcsTask, gatewayOf, readEcsTask } from '../../src/daemon/ecs-task.ts';

const ARN = 'arn:aws:ecs:us-west-2:111122223333:task/default/158d1c8083dd49d6b527399fd6414f5c';

/** As ECS answers on Fargate, shortened. */
const CONTAINER = {
  DockerId: 'cd189a933e5849daa93386466019ab50-2495160603',
  Name: 'sallyport',
  DockerName: 'sallyport',
  Image: '111122223333.dkr.ecr.us-west-2.amazonaws.com/sallyport:1',
  Labels: { 'com.amazonaws.ecs.cluster': 'arn:aws:ecs:us-west-2:111122223333:cluster/default' },
  Networks: [{ NetworkMode: 'awsvpc', IPv4Addresses: ['192.0.2.3'] }],
};
const TASK = {
  Cluster: 'arn:aws:ecs:us-west-2:111122223333:cluster/default',
  TaskARN: ARN,
  Family: 'web',
  Revision: '26',
  DesiredStatus: 'RUNNING',
  LaunchType: 'FARGATE',
  Containers: [CONTAINER],
};

type Answer = (response: ServerResponse, request: IncomingMessage) => void;

const json =
  (value: unknown): Answer =>
  response =>
    void response.end(JSON.stringify(value));

/** An endpoint as the agent opens one for a task; `env` leads there. */
async function endpoint({
  container = json(CONTAINER),
  task = json(TASK),
}: {
  container?: Answer;
  task?: Answer;
} = {}) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    if (request.url === '/v4/abc-1') container(response, request);
    else if (request.url === '/v4/abc-1/task') task(response, request);
    else response.writeHead(404).end();
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { env: { ECS_CONTAINER_METADATA_URI_V4: `http://127.0.0.1:${port}/v4/abc-1` }, asked };
}

const SHORT_MS = 200;

describe('readEcsTask', () => {
  it('knows task, container, region and account', async () => {
    const { env, asked } = await endpoint();
    expect(await readEcsTask(env)).toEqual({
      ok: true,
      task: {
        arn: ARN,
        id: '158d1c8083dd49d6b527399fd6414f5c',
        family: 'web',
        revision: '26',
        cluster: 'default',
        container: 'sallyport',
        partition: 'aws',
        region: 'us-west-2',
        account: '111122223333',
      },
    });
    expect(asked.sort()).toEqual(['/v4/abc-1', '/v4/abc-1/task']);
  });

  it.each([
    ['a cluster by its name', { Cluster: 'default' }, { cluster: 'default' }],
    [
      'an ARN without the cluster',
      { TaskARN: 'arn:aws-cn:ecs:cn-north-1:111122223333:task/158d1c80-83dd-49d6-b527-399fd6414f5c' },
      { partition: 'aws-cn', region: 'cn-north-1', id: '158d1c80-83dd-49d6-b527-399fd6414f5c' },
    ],
  ])('knows %s', async (_, more, expected) => {
    const { env } = await endpoint({ task: json({ ...TASK, ...more }) });
    expect(await readEcsTask(env)).toMatchObject({ ok: true, task: expected });
  });

  it.each([{}, { ECS_CONTAINER_METADATA_URI_V4: '' }])('asks nobody outside ECS: %j', async env => {
    expect(await readEcsTask(env)).toBeNull();
  });

  it.each(['https://169.254.170.2/v4/x', 'file:///etc/passwd', '169.254.170.2', 'http://'])(
    'does not ask %j',
    async uri => {
      expect(await readEcsTask({ ECS_CONTAINER_METADATA_URI_V4: uri })).toEqual({
        ok: false,
        reason: 'ECS_CONTAINER_METADATA_URI_V4 is no http URL',
      });
    },
  );

  it('asks again when the endpoint is not there yet', async () => {
    let times = 0;
    const { env } = await endpoint({
      task: response => (++times < 3 ? response.writeHead(500).end() : json(TASK)(response, response.req)),
    });
    expect(await readEcsTask(env)).toMatchObject({ ok: true });
    expect(times).toBe(3);
  });

  it.each<[string, Answer, string]>([
    ['never answers', () => {}, 'no answer in time'],
    ['answers without end', response => void response.write('{'), 'no answer in time'],
    ['refuses', response => void response.writeHead(403).end(), 'the answer is 403'],
    ['hangs up', response => void response.destroy(), 'no answer: ECONNRESET'],
    ['says no JSON', response => void response.end('<html>'), 'the answer is no JSON'],
    [
      'says too much',
      response => void response.end(JSON.stringify({ ...TASK, more: 'x'.repeat(600_000) })),
      'the answer is larger than 524288 bytes',
    ],
    [
      'leads elsewhere',
      response => void response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
      'the answer is 302',
    ],
  ])('gives up on an endpoint that %s', async (_, task, reason) => {
    const { env } = await endpoint({ task });
    expect(await readEcsTask(env, SHORT_MS)).toEqual({ ok: false, reason });
  });

  it('gives up on an address where nobody is', async () => {
    const found = await readEcsTask({ ECS_CONTAINER_METADATA_URI_V4: 'http://127.0.0.1:1/v4/x' }, SHORT_MS);
    expect(found).toMatchObject({ ok: false, reason: expect.stringMatching(/^no answer/) });
  });

  it.each<[string, unknown, unknown]>([
    ['a list', CONTAINER, []],
    ['nothing', null, TASK],
    ['another ARN', CONTAINER, { ...TASK, TaskARN: 'arn:aws:iam::111122223333:role/x' }],
    ['a family with a line break', CONTAINER, { ...TASK, Family: 'web\n{"event":"audit"}' }],
    ['a family without end', CONTAINER, { ...TASK, Family: 'w'.repeat(256) }],
    ['a number for a revision', CONTAINER, { ...TASK, Revision: 26 }],
    ['a container with a quote', { ...CONTAINER, Name: 'a"b' }, TASK],
    ['a cluster with an escape', CONTAINER, { ...TASK, Cluster: 'c\u001b[2J' }],
  ])('does not believe %s', async (_, container, task) => {
    const { env } = await endpoint({ container: json(container), task: json(task) });
    expect(await readEcsTask(env)).toMatchObject({
      ok: false,
      reason: expect.stringMatching(/^the answer is not as ECS documents it \([\w., ]+\)$/),
    });
  });

  it('goes through no proxy', async () => {
    const { env } = await endpoint();
    const before = { ...process.env };
    onTestFinished(() => {
      process.env = before;
    });
    process.env = { ...before, NODE_USE_ENV_PROXY: '1', HTTP_PROXY: 'http://127.0.0.1:1', NO_PROXY: '' };
    expect(await readEcsTask(env)).toMatchObject({ ok: true });
  });
});

describe('gatewayOf', () => {
  const task = (family: string) => ({ family, id: '158d1c8083dd49d6b527399fd6414f5c' }) as EcsTask;

  it('is family and id', () => {
    expect(gatewayOf(task('web'))).toBe('web-158d1c8083dd49d6b527399fd6414f5c');
  });

  it('keeps the id whole where the family is long', () => {
    expect(gatewayOf(task('w'.repeat(255)))).toMatch(/^w{95}-158d1c8083dd49d6b527399fd6414f5c$/);
  });
});
