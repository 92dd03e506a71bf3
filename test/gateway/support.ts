import { buildPlan, type PlanRequest } from '../../src/gateway/build-plan.ts';
import type { Kernel } from '../../src/gateway/kernel.ts';
import type { Plan } from '../../src/gateway/plan.ts';

type Intercepted = PlanRequest['listeners'][number];

export function listener(differs: Partial<Intercepted> = {}): Intercepted {
  return {
    name: 'gw',
    kind: 'transparent',
    host: '::',
    port: 15_443,
    intercept: 'redirect',
    destination: 'resolve',
    sourceAddress: 'own',
    ports: [80, 443],
    interfaces: [],
    proxyProtocol: null,
    sendProxyProtocol: null,
    ...differs,
  };
}

export function request(differs: Partial<PlanRequest> = {}): PlanRequest {
  return { listeners: [listener()], except: [], strict: false, ownUid: null, ...differs };
}

export function planOf(differs: Partial<PlanRequest> = {}): Plan {
  const built = buildPlan(request(differs));
  if (!built.ok) throw new Error(built.problems.join('; '));
  return built.plan;
}

/** A kernel that answers from tables; a command that is in none fails with `complaint`. */
export function fakeKernel(answers: {
  readonly commands?: Readonly<Record<string, string>>;
  readonly complaint?: string;
  readonly sysctl?: Readonly<Record<string, string>>;
  readonly interfaces?: readonly string[];
}): Kernel {
  const { commands = {}, complaint = 'no such command', sysctl = {}, interfaces = [] } = answers;
  return {
    run: async (command, args) => {
      const stdout = commands[[command, ...args].join(' ')];
      return stdout === undefined
        ? { ok: false, isMissing: complaint.endsWith('PATH'), stdout: '', complaint }
        : { ok: true, isMissing: false, stdout, complaint: '' };
    },
    sysctl: async key => sysctl[key] ?? null,
    interfaces: async () => interfaces,
  };
}
