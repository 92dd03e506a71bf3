import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { fileWith, sallyport } from './support.ts';

const POLICY = 'version: 1\nmode: observe\nrules:\n  - { name: registry, presets: [ecr] }\n';
const HOST = '123456789012.dkr.ecr.eu-west-1.amazonaws.com';

/** The variables of a process in an ECS task of that account and region. */
async function inTask(): Promise<NodeJS.ProcessEnv> {
  const server = createServer((request, response) => {
    const task = {
      TaskARN: 'arn:aws:ecs:eu-west-1:123456789012:task/default/158d1c8083dd49d6b527399fd6414f5c',
      Cluster: 'default',
      Family: 'web',
      Revision: '26',
    };
    response.end(JSON.stringify(request.url?.endsWith('/task') === true ? task : { Name: 'app' }));
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { ECS_CONTAINER_METADATA_URI_V4: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v4/x` };
}

describe('region and account that the policy does not say', () => {
  it('are those of the task, as for the daemon', async () => {
    const [file, env] = [fileWith(POLICY), await inTask()];
    expect(await sallyport(['check', file], env)).toMatchObject({ code: 0, err: '' });
    expect(await sallyport(['explain', HOST, '--policy', file], env)).toMatchObject({ code: 0 });
    expect((await sallyport(['presets', 'ecr'], env)).out).toContain(HOST);
  });

  it('are those of the environment before those of the task', async () => {
    const env = { ...(await inTask()), AWS_REGION: 'eu-north-1' };
    const { out } = await sallyport(['presets', 'ecr'], env);
    expect(out).toContain(HOST.replace('eu-west-1', 'eu-north-1'));
  });

  it('are missing elsewhere', async () => {
    const { code, err } = await sallyport(['check', fileWith(POLICY)]);
    expect([code, err]).toEqual([1, expect.stringContaining('account')]);
  });
});
