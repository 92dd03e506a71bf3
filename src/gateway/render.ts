import type { Chain, Json, Rule } from './nft.ts';

/** Everything of ours is in this one table. */
export const TABLE = 'sallyport';
const FAMILY = 'inet';

/** The ruleset in the language of nft(8). Loading it again replaces it in one step. */
export function renderNft(chains: readonly Chain[]): string {
  return `${removeNft()}\ntable ${FAMILY} ${TABLE} {\n${chains.map(renderChain).join('\n')}}\n`;
}

/** What removes the ruleset, whether it is there or not (`destroy` is newer than many kernels). */
export function removeNft(): string {
  return `add table ${FAMILY} ${TABLE}\ndelete table ${FAMILY} ${TABLE}\n`;
}

/** The ruleset as `nft -j -f` takes it, libnftables-json(5). */
export function renderJson(chains: readonly Chain[]): { readonly nftables: readonly Json[] } {
  const table = { table: { family: FAMILY, name: TABLE } };
  return {
    nftables: [
      { add: table },
      { delete: table },
      ...[table, ...listing(chains)].map(object => ({ add: object })),
    ],
  };
}

/** What removes it, in the same notation. */
export function removeJson(): { readonly nftables: readonly Json[] } {
  const table = { table: { family: FAMILY, name: TABLE } };
  return { nftables: [{ add: table }, { delete: table }] };
}

/** Chains and rules as `nft -j list table` gives them back, but for handles and counts. */
export function listing(chains: readonly Chain[]): Json[] {
  return [
    ...chains.map(({ name, hook }): Json => {
      const { type, hook: at, priority } = hook ?? {};
      const base = hook === null ? {} : { type, hook: at, prio: priority, policy: 'accept' };
      return { chain: { family: FAMILY, table: TABLE, name, ...base } };
    }),
    ...chains.flatMap(({ name, rules }) =>
      rules.map(({ comment, statements }): Json => {
        const expr = statements.map(({ json }) => json);
        return { rule: { family: FAMILY, table: TABLE, chain: name, comment, expr } };
      }),
    ),
  ];
}

function renderChain({ name, hook, rules }: Chain): string {
  const head =
    hook === null ? [] : [`type ${hook.type} hook ${hook.hook} priority ${hook.priority}; policy accept;`];
  const lines = [...head, ...rules.map(renderRule)].map(line => `\t\t${line}\n`).join('');
  return `\tchain ${name} {\n${lines}\t}\n`;
}

function renderRule({ statements, comment }: Rule): string {
  return `${statements.map(({ text }) => text).join(' ')} comment "${comment}"`;
}
