import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { REDIRECT_PORT, V4, V6 } from '../support/lab.ts';
import { describeInLab, flowOf, useGateway } from '../support/lab-suite.ts';
import { PostgresCluster, type PsqlTarget, postgresObstacle, psqlArguments } from '../support/postgres.ts';
import { Scope } from '../support/scope.ts';

const PORT = 5432;
const RULES = `table inet lab {
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    iifname "lan" tcp dport ${PORT} redirect to :${REDIRECT_PORT}
  }
}
`;
const rules = [{ name: 'database', hosts: ['allowed.example', 'plain.example'], ports: [PORT] }];
const IS_ENCRYPTED = 'select ssl from pg_stat_ssl where pid = pg_backend_pid()';
const obstacle = postgresObstacle();

describeInLab(
  'a transparent listener with PostgreSQL',
  suite => {
    const scope = new Scope();
    beforeAll(async () => {
      if (obstacle !== null) return;
      const cluster = new PostgresCluster(['allowed.example']);
      scope.defer(() => cluster.close());
      const prefix = suite.lab.prefix('server');
      const withTls = await cluster.start([V4.site, V6.site], PORT, { hasTls: true, prefix });
      scope.defer(() => withTls.close());
      const plain = await cluster.start([V4.plain, V6.plain], PORT, { hasTls: false, prefix });
      scope.defer(() => plain.close());
    });
    afterAll(() => scope.close());
    const test = it.skipIf(obstacle !== null);
    const title = (mode: string) => (obstacle === null ? mode : `${mode} (skipped: ${obstacle})`);
    const psql = (target: Pick<PsqlTarget, 'host' | 'hostaddr' | 'sslmode'>) =>
      suite.lab.run('client', 'psql', psqlArguments({ port: PORT, ...target }, IS_ENCRYPTED));

    describe(title('enforcing'), () => {
      const gateway = useGateway(suite, { policy: { mode: 'enforce', rules } });

      test.each([V4, V6])('lets an allowed name through for $client', async family => {
        const target = { host: 'allowed.example', hostaddr: family.site, sslmode: 'require' } as const;
        const { result, decision } = await flowOf(gateway(), () => psql(target));
        expect(result).toMatchObject({ code: 0, stdout: 't\n' });
        expect(decision).toMatchObject({
          hostname: 'allowed.example',
          dst_ip: family.site,
          dst_port: PORT,
          rule: 'database',
          action: 'allow',
        });
      });

      test('refuses another name', async () => {
        const target = { host: 'denied.example', hostaddr: V4.site, sslmode: 'require' } as const;
        const { result, decision } = await flowOf(gateway(), () => psql(target));
        expect(result.stderr).toContain('alert access denied');
        expect(decision).toMatchObject({ hostname: 'denied.example', action: 'deny', reason: 'not_allowed' });
      });

      test('refuses a session in the clear', async () => {
        const target = { host: 'plain.example', hostaddr: V4.plain, sslmode: 'disable' } as const;
        const { result, decision } = await flowOf(gateway(), () => psql(target));
        expect(result.stderr).toContain('sallyport refused the connection: not_tls');
        expect(decision).toMatchObject({ dst_ip: V4.plain, action: 'deny', reason: 'not_tls' });
      });
    });

    describe(title('observing'), () => {
      const gateway = useGateway(suite, { policy: { mode: 'observe', rules } });

      test.each([V4, V6])('sees the name that $client gives a server with TLS', async family => {
        const target = { host: 'other.example', hostaddr: family.site, sslmode: 'prefer' } as const;
        const { result, decision } = await flowOf(gateway(), () => psql(target));
        expect(result).toMatchObject({ code: 0, stdout: 't\n' });
        expect(decision).toMatchObject({
          hostname: 'other.example',
          dst_ip: family.site,
          protocol: 'tls',
          action: 'would-deny',
          reason: 'not_allowed',
        });
      });

      test.each(['prefer', 'disable'] as const)(
        'lets a server without TLS be used in the clear with sslmode=%s',
        async sslmode => {
          const target = { host: 'plain.example', hostaddr: V4.plain, sslmode } as const;
          const { result, decision } = await flowOf(gateway(), () => psql(target));
          expect(result).toMatchObject({ code: 0, stdout: 'f\n' });
          expect(decision).toMatchObject({ dst_ip: V4.plain, action: 'would-deny', reason: 'not_tls' });
        },
      );
    });

    describe(title('a tcp rule'), () => {
      const gateway = useGateway(suite, {
        policy: {
          mode: 'enforce',
          rules: [{ name: 'plain', hosts: ['plain.example'], ports: [PORT], protocol: 'tcp' }],
        },
      });

      test('lets a session in the clear through', async () => {
        const target = { host: 'plain.example', hostaddr: V4.plain, sslmode: 'prefer' } as const;
        const { result, decision } = await flowOf(gateway(), () => psql(target));
        expect(result).toMatchObject({ code: 0, stdout: 'f\n' });
        expect(decision).toMatchObject({ protocol: 'tcp', rule: 'plain', action: 'allow' });
      });
    });
  },
  RULES,
);
