import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, describe, expect, it } from 'vitest';
import { TestDaemon } from '../support/daemon.ts';
import { Peer } from '../support/peer.ts';
import { Scope } from '../support/scope.ts';

const POLICY = { mode: 'enforce', rules: [] };
const ID = '158d1c8083dd49d6b527399fd6414f5c';
const TASK = {
  Cluster: 'prod',
  TaskARN: `arn:aws:ecs:eu-west-1:111122223333:task/prod/${ID}`,
  Family: 'web',
  Revision: '7',
};
const LABELS = {
  ecs_cluster: 'prod',
  ecs_family: 'web',
  ecs_revision: '7',
  ecs_task: ID,
  ecs_container: 'sallyport',
};

describe('inside an ECS task', () => {
  const scope = new Scope();
  afterAll(() => scope.close());

  async function metadata(answers: boolean): Promise<NodeJS.ProcessEnv> {
    const server = createServer((request, response) => {
      if (!answers) return;
      response.end(JSON.stringify(request.url?.endsWith('/task') ? TASK : { Name: 'sallyport' }));
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    scope.defer(() => {
      server.closeAllConnections();
      server.close();
    });
    const { port } = server.address() as AddressInfo;
    return { ECS_CONTAINER_METADATA_URI_V4: `http://127.0.0.1:${port}/v4/abc` };
  }

  async function start(env: NodeJS.ProcessEnv, gateway?: string): Promise<TestDaemon> {
    const daemon = await TestDaemon.start({ policy: POLICY, env, config: { gateway } });
    scope.defer(() => daemon.kill());
    return daemon;
  }

  it('every record says which task, of flows too, and a metric does', async () => {
    const daemon = await start(await metadata(true));
    const peer = await Peer.dial(daemon.port('tls'));
    await peer.send(Buffer.from('GET / HTTP/1.1\r\nHost: a.example\r\n\r\n'));
    await peer.end();
    peer.finish();
    await daemon.line(line => line.event === 'close');
    expect(new Set(daemon.lines.map(line => line.event))).toEqual(new Set(['ready', 'decision', 'close']));
    for (const line of daemon.lines) expect(line).toMatchObject({ ...LABELS, gateway: `web-${ID}` });
    const labels = `{task_arn="${TASK.TaskARN}",family="web",revision="7",cluster="prod",container="sallyport",region="eu-west-1"}`;
    expect(await daemon.metric('sallyport_task_info', labels)).toBe(1);
  });

  it('a name that is given is kept', async () => {
    const daemon = await start(await metadata(true), 'my-gateway');
    expect(daemon.lines[0]).toMatchObject({ ...LABELS, gateway: 'my-gateway' });
  });

  it('an endpoint that does not answer is waited for a second, said, and done without', async () => {
    const daemon = await start(await metadata(false), 'my-gateway');
    const said = await daemon.line(line => line.event === 'ecs_metadata');
    expect(said.msg).toBe('the ECS metadata endpoint did not say which task this is: no answer in time');
    const ready = await daemon.line(line => line.event === 'ready');
    expect(ready).not.toHaveProperty('ecs_task');
    expect(await (await fetch(`${daemon.admin}/metrics`)).text()).not.toContain('sallyport_task_info');
  });
});
