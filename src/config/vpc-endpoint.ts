import type { ScalarResult } from './scalars.ts';

/** Ids have 8 or 17 hexadecimal digits; what AWS may come to write is let pass. */
const VPC_ENDPOINT_ID = /^vpce-[0-9a-z]{1,123}$/;

/** The id of a VPC endpoint as load balancers say it: `vpce-08d2bf15fac5001c9`. */
export function parseVpcEndpoint(text: string): ScalarResult<string> {
  if (VPC_ENDPOINT_ID.test(text)) return { ok: true, value: text };
  const message = `${JSON.stringify(text)} is no VPC endpoint id`;
  if (text.startsWith('vpce-svc-')) {
    const fix =
      'write the id of an endpoint, such as vpce-08d2bf15fac5001c9: this one is of the endpoint service';
    return { ok: false, message, fix };
  }
  const lower = text.toLowerCase();
  const fix = VPC_ENDPOINT_ID.test(lower) ? `write ${lower}` : 'write an id such as vpce-08d2bf15fac5001c9';
  return { ok: false, message, fix };
}
