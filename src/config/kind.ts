const POLICY_KEYS = ['mode', 'observeUntil', 'ech', 'vars', 'sources', 'rules'];
const DAEMON_KEYS = [
  'gateway',
  'policy',
  'dataplane',
  'workers',
  'listeners',
  'admin',
  'log',
  'dns',
  'destinations',
  'netfilter',
  'limits',
  'onDeny',
  'onPolicyChange',
];

/** Tells a policy from a daemon configuration by its keys, parsed; what has keys of neither is taken for a policy. */
export function detectKind(document: unknown): 'policy' | 'daemon' {
  const keys = typeof document === 'object' && document !== null ? Object.keys(document) : [];
  const count = (known: readonly string[]) => keys.filter(key => known.includes(key)).length;
  return count(DAEMON_KEYS) > count(POLICY_KEYS) ? 'daemon' : 'policy';
}
