import { parse } from 'tldts';
import { parsePattern } from './pattern.ts';
import type { SuffixGuard } from './public-suffix.ts';

/**
 * Domains under which providers let customers name hosts at some depth, and which the Public Suffix List has not, or
 * has only in parts. A wildcard there opens what others name. No list of these can be complete, which is why each
 * wildcard says how many hosts it stands for.
 */
const SHARED = new Set([
  'algolia.net',
  'aliyuncs.com',
  'amazonaws.com',
  'amazonaws.com.cn',
  'amazonaws.eu',
  'api.aws',
  'atlassian.net',
  'auth0.com',
  'azure.com',
  'azure.net',
  'azurecr.io',
  'b-cdn.net',
  'backblazeb2.com',
  'box.com',
  'cloudflarestorage.com',
  'confluent.cloud',
  'databricks.com',
  'es.io',
  'firebaseio.com',
  'force.com',
  'freshdesk.com',
  'googleapis.com',
  'interact.sh',
  'jfrog.io',
  'lhr.life',
  'loca.lt',
  'localhost.run',
  'localtunnel.me',
  'mongodb.net',
  'myqcloud.com',
  'oast.fun',
  'oast.live',
  'oast.me',
  'oast.online',
  'oast.pro',
  'oast.site',
  'oastify.com',
  'okta.com',
  'on.aws',
  'oraclecloud.com',
  'pipedream.net',
  'pkg.dev',
  'salesforce.com',
  'sentry.io',
  'serveo.net',
  'service-now.com',
  'sharepoint.com',
  'slack.com',
  'snowflakecomputing.com',
  'substack.com',
  'tumblr.com',
  'visualstudio.com',
  'wasabisys.com',
  'webhook.site',
  'windows.net',
  'wordpress.com',
  'zendesk.com',
]);

/** The domain that a host was registered under, whoever named the host below it; the host itself for want of one. */
export function registeredDomain(host: string): string {
  return parse(host, { extractHostname: false, validateHostname: false }).domain ?? host;
}

/**
 * Whether all names one label below `parent` have one owner, as far as the Public Suffix List (ICANN and private
 * sections) and the domains above can tell: it lies at or below a registrable domain of a listed or unlisted suffix.
 */
export function hasOneOwner(parent: string, guard: SuffixGuard): boolean {
  if (SHARED.has(registeredDomain(parent))) return false;
  const { domain } = parse(parent, {
    allowPrivateDomains: true,
    extractHostname: false,
    validateHostname: false,
  });
  if (domain === null) return false;
  const wildcard = parsePattern(`*.${parent}`);
  return wildcard.ok && guard.judge(wildcard.pattern).kind === 'fine';
}
