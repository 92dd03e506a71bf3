import { expect, it } from 'vitest';
import { V4, V6 } from '../support/lab.ts';
import { describeInLab, flowOf, useGateway } from '../support/lab-suite.ts';

describeInLab('a redirected client in observe mode', suite => {
  const policy = { mode: 'observe', rules: [{ name: 'site', hosts: ['allowed.example'] }] };
  const gateway = useGateway(suite, { policy });

  it.each([V4, V6])('reaches an allowed name at $site', async family => {
    const visit = () => suite.clients.https('allowed.example', family.site);
    const { result, decision } = await flowOf(gateway(), visit);
    expect(result.answer?.server, result.stderr).toBe(family.site);
    expect(decision).toMatchObject({ dst_ip: family.site, action: 'allow', reason: null });
  });

  it.each([V4, V6])('reaches $mirror by a name that no rule allows', async family => {
    const visit = () => suite.clients.https('denied.example', family.mirror);
    const { result, decision } = await flowOf(gateway(), visit);
    expect(result.answer, result.stderr).toMatchObject({ server: family.mirror, peer: family.wan });
    expect(decision).toMatchObject({
      src_ip: family.client,
      dst_ip: family.mirror,
      dst_port: 443,
      hostname: 'denied.example',
      state: 'NO_MATCH',
      action: 'would-deny',
      reason: 'not_allowed',
    });
  });

  it.each([V4, V6])('gets what it dialled, $attacker, whatever its hostname resolves to', async family => {
    const spoof = () => suite.clients.tls(family.attacker, 'allowed.example');
    const { result, decision } = await flowOf(gateway(), spoof);
    expect(result.answer?.server, result.stderr).toBe(family.attacker);
    expect(decision).toMatchObject({ dst_ip: family.attacker, hostname: 'allowed.example' });
  });

  it.each([V4, V6])('reaches $site without a hostname', async family => {
    const { result, decision } = await flowOf(gateway(), () => suite.clients.tls(family.site, null));
    expect(result.answer?.server, result.stderr).toBe(family.site);
    expect(decision).toMatchObject({ hostname: null, action: 'would-deny', reason: 'no_hostname' });
  });

  it.each([V4, V6])('reaches $plain in plain HTTP', async family => {
    const { result, decision } = await flowOf(gateway(), () => suite.clients.http(family.plain));
    expect(result.answer?.server, result.stderr).toBe(family.plain);
    expect(decision).toMatchObject({ dst_ip: family.plain, action: 'would-deny', reason: 'no_hostname' });
  });

  it.each([V4, V6])('reaches $plain with what is no HTTP after all', async family => {
    const broken = 'GET / HTTP/1.1\r\nHost: a.example\r\nHost: b.example\r\n\r\n';
    const { result, decision, close } = await flowOf(gateway(), () =>
      suite.clients.says(family.plain, broken),
    );
    expect(result.stdout, result.stderr).toMatch(/^HTTP\/1\.1 \d{3} /);
    expect(decision).toMatchObject({
      dst_ip: family.plain,
      protocol: 'http',
      action: 'would-deny',
      reason: 'malformed_request',
    });
    expect(close).toMatchObject({ bytes_out: broken.length, bytes_in: result.stdout.length });
  });

  it.each([V4, V6])('hears $banner, which speaks first', async family => {
    const { result, decision, close } = await flowOf(gateway(), () => suite.clients.silent(family.banner));
    expect(result.stdout, result.stderr).toBe(`220 ${family.banner} speaks first\r\n`);
    expect(decision).toMatchObject({
      dst_ip: family.banner,
      hostname: null,
      protocol: 'tcp',
      action: 'would-deny',
      reason: 'hello_timeout',
    });
    expect(close).toMatchObject({ bytes_out: 0, bytes_in: result.stdout.length });
  });
});
