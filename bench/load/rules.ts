import { BENCH_NAME } from './conversation.ts';

/** A policy in enforce mode that allows BENCH_NAME on `port` and, by `rules` further rules, names that nobody asks for. */
export function largePolicy(rules: number, port: number, edition: number): string {
  const lines = [
    'version: 1',
    'mode: enforce',
    'rules:',
    `  - { name: bench, hosts: [${BENCH_NAME}], ports: [${port}] }`,
  ];
  for (let i = 0; i < rules; i++) {
    lines.push(`  - { name: r${i}, hosts: [h${i}.edition-${edition}.example, "*.w${i}.example.net"] }`);
  }
  return `${lines.join('\n')}\n`;
}
