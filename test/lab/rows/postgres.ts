import { postgresPrograms } from '../../support/postgres.ts';
import type { Family } from '../addresses.ts';
import type { Row } from '../row.ts';

/** A real database server: by its address where a tcp rule has that, else by the name that its client says in TLS. */
export function postgresRows(family: Family): Row[] {
  const { name, database, warehouse, build } = family;
  const obstacle = postgresPrograms() === null ? 'needs postgresql' : null;
  const toDatabase = { src_ip: build, dst_ip: database, dst_port: 5432, hostname: 'db.example' };
  const toWarehouse = { src_ip: build, dst_port: 5432, hostname: 'pg.example' };
  return [
    {
      tried: `${name}: PostgreSQL in the clear, to the host of a tcp rule`,
      obstacle,
      act: ({ build }) => build.psql('db.example', database, 'disable'),
      happens: `served by ${database} in the clear`,
      decisions: [{ ...toDatabase, protocol: 'tcp', action: 'allow', rule: 'database' }],
    },
    {
      tried: `${name}: PostgreSQL by TLS, to an allowed name`,
      obstacle,
      act: ({ build }) => build.psql('pg.example', warehouse, 'require'),
      happens: `served by ${warehouse} over TLSv1.3`,
      decisions: [{ ...toWarehouse, dst_ip: warehouse, protocol: 'tls', action: 'allow', rule: 'warehouse' }],
    },
    {
      tried: `${name}: PostgreSQL by TLS, an allowed name said to another server`,
      obstacle,
      act: ({ build }) => build.psql('pg.example', family.mirror, 'require'),
      happens: `served by ${warehouse} over TLSv1.3`,
      decisions: [{ ...toWarehouse, action: 'allow', rule: 'warehouse', dst_mismatch: true }],
    },
    {
      tried: `${name}: PostgreSQL by TLS, to a name that no rule allows`,
      obstacle,
      act: ({ build }) => build.psql('denied.example', warehouse, 'require'),
      happens: 'alert access denied',
      decisions: [{ ...toWarehouse, hostname: 'denied.example', action: 'deny', reason: 'not_allowed' }],
    },
    {
      tried: `${name}: PostgreSQL in the clear, to an address that no tcp rule has`,
      obstacle,
      act: ({ build }) => build.psql('pg.example', warehouse, 'disable'),
      happens: 'sallyport refused the connection',
      decisions: [{ src_ip: build, dst_ip: warehouse, dst_port: 5432, action: 'deny' }],
    },
  ];
}
