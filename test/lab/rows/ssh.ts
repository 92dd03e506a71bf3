import { sshObstacle } from '../../support/ssh.ts';
import type { Family } from '../addresses.ts';
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
