import { sshObstacle } from '../../support/ssh.ts';
import type { Family } from '../addresses.ts';
import { findPostgres } from '../postgres.ts';
import type { Row } from '../row.ts';

/** Protocols that are judged by where they go. */
export function sshRows(family: Family): Row[] {
  const { name, git, site, build } = family;
  const obstacle = sshObstacle();
  return [
    {
      tried: `${name}: OpenSSH to the host of a tcp rule, logging in with a key`,
      obstacle,
      act: ({ build }) => build.ssh('git.example', family),
      happens: 'logged in',
      decisions: [
        {
          src_ip: build,
          dst_ip: git,
          dst_port: 22,
          hostname: 'git.example',
          protocol: 'tcp',
          state: 'MATCHED',
          action: 'allow',
          rule: 'git-ssh',
        },
      ],
    },
    {
      tried: `${name}: OpenSSH to an address that no tcp rule has`,
      obstacle,
      act: ({ build }) => build.ssh(site, family),
      happens: /closed|reset/i,
      decisions: [{ src_ip: build, dst_ip: site, dst_port: 22, action: 'deny', rule: null }],
    },
  ];
}

/** A real database server, once by its address and once by the name that its client says in TLS. */
export function postgresRows(family: Family): Row[] {
  const { name, database, warehouse, build } = family;
  const obstacle = findPostgres() === null ? 'needs postgresql' : null;
  return [
    {
      tried: `${name}: PostgreSQL in the clear, to the host of a tcp rule`,
      obstacle,
      act: ({ build }) => build.psql('db.example', database, 'disable'),
      happens: `served by ${database} in the clear`,
      decisions: [
        {
          src_ip: build,
          dst_ip: database,
          dst_port: 5432,
          hostname: 'db.example',
          protocol: 'tcp',
          action: 'allow',
          rule: 'database',
        },
      ],
    },
    {
      tried: `${name}: PostgreSQL to an address that no tcp rule has, in the clear`,
      obstacle,
      act: ({ build }) => build.psql('db.example', warehouse, 'disable'),
      happens: /closed the connection|reset/,
      decisions: [{ src_ip: build, dst_ip: warehouse, dst_port: 5432, action: 'deny' }],
    },
  ];
}
