import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { loadDaemonConfig } from '../../src/config/load.ts';

const ROOT = new URL('../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, ROOT), 'utf8');
const definition: unknown = JSON.parse(read('config/deploy/ecs/task-definition.json'));

const text = z.string().min(1);

/** What Fargate takes of a container definition, and of what we say in one: other keys are mistakes. */
const container = z.strictObject({
  name: z.string().regex(/^[\w-]{1,255}$/),
  image: text,
  essential: z.boolean(),
  cpu: z.int().min(0).optional(),
  memory: z.int().min(6).optional(),
  user: z
    .string()
    .regex(/^\d+:\d+$/)
    .optional(),
  dependsOn: z
    .array(
      z.strictObject({
        containerName: text,
        condition: z.enum(['START', 'COMPLETE', 'SUCCESS', 'HEALTHY']),
      }),
    )
    .optional(),
  environment: z.array(z.strictObject({ name: text, value: z.string() })).optional(),
  readonlyRootFilesystem: z.boolean().optional(),
  // Fargate adds no capability but SYS_PTRACE, and knows no privileged container.
  linuxParameters: z
    .strictObject({ capabilities: z.strictObject({ drop: z.array(z.literal('ALL')) }) })
    .optional(),
  ulimits: z
    .array(z.strictObject({ name: z.literal('nofile'), softLimit: z.int(), hardLimit: z.int() }))
    .optional(),
  healthCheck: z
    .strictObject({
      command: z.array(text).min(2),
      interval: z.int().min(5).max(300),
      timeout: z.int().min(2).max(60),
      retries: z.int().min(1).max(10),
      startPeriod: z.int().min(0).max(300),
    })
    .optional(),
  stopTimeout: z.int().min(2).max(120).optional(),
  logConfiguration: z.strictObject({
    logDriver: z.literal('awslogs'),
    options: z.strictObject({
      'awslogs-group': text,
      'awslogs-region': text,
      'awslogs-stream-prefix': text,
      mode: z.enum(['blocking', 'non-blocking']).optional(),
      'max-buffer-size': z
        .string()
        .regex(/^\d+[km]$/)
        .optional(),
    }),
  }),
});

const taskDefinition = z.strictObject({
  family: z.string().regex(/^[\w-]{1,255}$/),
  networkMode: z.literal('awsvpc'),
  requiresCompatibilities: z.tuple([z.literal('FARGATE')]),
  cpu: z.enum(['256', '512', '1024', '2048', '4096']),
  memory: z.string().regex(/^\d+$/),
  runtimePlatform: z.strictObject({
    operatingSystemFamily: z.literal('LINUX'),
    cpuArchitecture: z.enum(['X86_64', 'ARM64']),
  }),
  executionRoleArn: text,
  taskRoleArn: text,
  containerDefinitions: z.array(container),
});

const task = taskDefinition.parse(definition);
const named = (name: string) => {
  const found = task.containerDefinitions.find(each => each.name === name);
  if (found === undefined) throw new Error(`no container ${name}`);
  return found;
};
const [app, sallyport] = [named('app'), named('sallyport')];

describe('the task definition for Fargate', () => {
  it('starts the application when sallyport is healthy, and replaces the task when it is not', () => {
    expect(app.dependsOn).toEqual([{ containerName: 'sallyport', condition: 'HEALTHY' }]);
    expect(sallyport.essential).toBe(true);
  });

  it('checks the health as the image does', () => {
    const [, command = ''] = /HEALTHCHECK [\s\S]*?CMD (\[.*\])/.exec(read('Dockerfile')) ?? [];
    expect(sallyport.healthCheck?.command).toEqual(['CMD', ...JSON.parse(command)]);
  });

  it('gives the program no rights', () => {
    expect(sallyport).toMatchObject({
      readonlyRootFilesystem: true,
      linuxParameters: { capabilities: { drop: ['ALL'] } },
      user: expect.stringMatching(/^[1-9]\d*:[1-9]\d*$/),
    });
  });

  it('leaves the drain its time, and sallyport longer than the application', async () => {
    const load = await loadDaemonConfig(new URL('config/sallyport.yaml', ROOT).pathname);
    const drainMs = load.ok ? load.config.limits.drainTimeoutMs : Number.NaN;
    expect((sallyport.stopTimeout ?? 0) * 1_000).toBeGreaterThan(drainMs);
    expect(sallyport.stopTimeout ?? 0).toBeGreaterThan(app.stopTimeout ?? 30);
  });

  it('leads the application to the listener of the shipped configuration, and nowhere else to the proxy', async () => {
    const load = await loadDaemonConfig(new URL('config/sallyport.yaml', ROOT).pathname);
    const proxy = load.ok ? load.config.listeners.find(({ kind }) => kind === 'explicit') : undefined;
    const environment = Object.fromEntries(app.environment?.map(({ name, value }) => [name, value]) ?? []);
    expect(environment.HTTPS_PROXY).toBe(`http://${proxy?.host}:${proxy?.port}`);
    expect(environment.https_proxy).toBe(environment.HTTPS_PROXY);
    expect(environment.NO_PROXY?.split(',')).toEqual(
      expect.arrayContaining(['169.254.170.2', '169.254.169.254']),
    );
    expect(environment.no_proxy).toBe(environment.NO_PROXY);
  });

  it('has room for both containers', () => {
    expect(sallyport.memory).toBeLessThan(Number(task.memory));
    expect(sallyport.cpu).toBeLessThan(Number(task.cpu));
  });
});
