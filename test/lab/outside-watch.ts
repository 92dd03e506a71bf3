import type { Namespaces } from '../support/namespaces.ts';
import { FAMILIES, type Room } from './addresses.ts';
import { PORTS } from './gateway-config.ts';

/** What the kernel outside has counted, in packets. */
export interface Seen {
  /** To the attacker's addresses, from anybody. */
  readonly attacker: number;
  /** From clients' own addresses, to ports that the gateway takes or refuses. */
  readonly past: number;
}

/** Counts the packets that arrive outside and must not, whether somebody listens there or not. */
export class OutsideWatch {
  readonly #rooms: Namespaces<Room>;

  constructor(rooms: Namespaces<Room>) {
    this.#rooms = rooms;
  }

  start(): void {
    const rules = FAMILIES.flatMap(({ name, attacker, metadata, blocks }) => {
      const ip = name === 'IPv4' ? 'ip' : 'ip6';
      const clients = `${ip} saddr { ${Object.values(blocks).join(', ')} } ${ip} daddr != ${metadata}`;
      return [
        `${ip} daddr ${attacker} counter name attacker`,
        `${clients} tcp dport { ${PORTS.join(', ')} } counter name past`,
        `${clients} udp dport { 80, 443 } counter name past`,
      ];
    });
    const table = [
      'table inet watch {',
      'counter attacker { }',
      'counter past { }',
      'chain arriving { type filter hook prerouting priority raw;',
      ...rules,
      '}',
      '}\n',
    ];
    this.#rooms.exec('outside', 'nft', ['-f', '-'], table.join('\n'));
  }

  get seen(): Seen {
    const listing = this.#rooms.exec('outside', 'nft', ['list', 'counters', 'table', 'inet', 'watch']);
    const packets = (name: string) =>
      Number(new RegExp(`counter ${name} \\{\\s+packets (\\d+)`).exec(listing)?.[1] ?? Number.NaN);
    return { attacker: packets('attacker'), past: packets('past') };
  }
}
