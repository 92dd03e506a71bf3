import fc from 'fast-check';

/** A policy as plain values, and one of the many ways to write it down. */
export interface WrittenPolicy {
  readonly text: string;
  readonly value: Readonly<Record<string, unknown>>;
}

interface Rule {
  readonly name: string;
  readonly hosts: readonly string[];
  readonly action?: string;
  readonly ports?: readonly number[];
  readonly from?: readonly string[];
}

/** What may be chosen anew at every place of a text; drawn one after the other. */
class Layout {
  readonly #choices: readonly number[];
  readonly eol: string;
  #next = 0;

  constructor(choices: readonly number[], eol: string) {
    this.#choices = choices;
    this.eol = eol;
  }

  one<T>(...options: readonly [T, ...T[]]): T {
    const choice = this.#choices[this.#next++ % this.#choices.length] ?? 0;
    return options[choice % options.length] ?? options[0];
  }

  /** What may follow a value on its line, with the line break. */
  end(): string {
    return this.one('', '', ' ', ' # why', '\t# tab, [brackets] {and: braces}', '   #') + this.eol;
  }

  /** Lines that may stand anywhere between others. */
  between(indent: string): string {
    return this.one(
      '',
      '',
      '',
      this.eol,
      `${indent}# note: "quoted" - dash${this.eol}`,
      `# mode: enforce${this.eol}${this.eol}`,
      `\t${this.eol}`,
    );
  }

  text(value: string): string {
    return /^\w[\w.:-]*$/.test(value)
      ? this.one(value, value, JSON.stringify(value), `'${value}'`)
      : this.one(JSON.stringify(value), `'${value}'`);
  }
}

const host = fc.constantFrom('a.example', '*.b.example', '**.c.example', 'd-1.example', 'e.{region}.example');
const rule = fc.record(
  {
    name: fc.constant(''),
    hosts: fc.uniqueArray(host, { minLength: 1, maxLength: 4 }),
    action: fc.constantFrom('allow', 'deny'),
    ports: fc.uniqueArray(fc.constantFrom(22, 80, 443, 8443), { minLength: 1, maxLength: 3 }),
    from: fc.constantFrom(['build'], ['10.0.0.0/8', 'build']),
  },
  { requiredKeys: ['name', 'hosts'] },
);

const policy = fc.record(
  {
    mode: fc.constantFrom('observe', 'enforce'),
    observeUntil: fc.constantFrom('2027-01-31', '2027-01-31T00:00:00Z'),
    rules: fc.array(rule, { maxLength: 4 }),
  },
  { requiredKeys: ['rules'] },
);

/** Policies in every layout: block and flow, comments, quotes, CRLF, a byte order mark, no newline at the end. */
export const writtenPolicies: fc.Arbitrary<WrittenPolicy> = fc
  .tuple(
    policy,
    fc.array(fc.nat(59), { minLength: 20, maxLength: 60 }),
    fc.constantFrom('\n', '\n', '\r\n'),
    fc.constantFrom('', '', '\uFEFF'),
    fc.constantFrom('keep', 'cut'),
  )
  .map(([drawn, choices, eol, bom, ending]) => {
    const rules = drawn.rules.map((each, i): Rule => ({ ...each, name: `rule-${i}` }));
    const value = {
      version: 1,
      ...(drawn.mode === undefined ? {} : { mode: drawn.mode }),
      ...(drawn.observeUntil === undefined ? {} : { observeUntil: drawn.observeUntil }),
      vars: { region: 'x' },
      sources: { build: { cidrs: ['10.1.0.0/16'] }, legacy: { cidrs: ['10.2.0.0/16'], mode: 'observe' } },
      rules,
    };
    const layout = new Layout(choices, eol);
    const text = layout.one(true, true, true, false) ? blockPolicy(value, layout) : flowPolicy(value, layout);
    return { value, text: bom + (ending === 'cut' ? text.replace(/(?:\r?\n)+$/, '') : text) };
  });

function blockPolicy(value: Readonly<Record<string, unknown>>, layout: Layout): string {
  let text = layout.one('', '# head', '---', '%YAML 1.2\n---'.replace('\n', layout.eol));
  if (text !== '') text += layout.eol;
  for (const [key, item] of Object.entries(value)) {
    text += layout.between('');
    text += `${key}:`;
    if (key === 'rules' && Array.isArray(item)) text += rulesText(item, layout);
    else if (key === 'sources') text += sourcesText(layout);
    else if (key === 'vars')
      text += layout.one(` { region: x }${layout.end()}`, `${layout.end()}  region: x${layout.end()}`);
    else text += ` ${typeof item === 'string' ? layout.text(item) : String(item)}${layout.end()}`;
  }
  // Not a tab on the last line: where a comment comes before it the library reads it as indentation.
  return text + layout.one('', layout.eol, `  # end${layout.eol}`);
}

function sourcesText(layout: Layout): string {
  const build = layout.one(
    ` { cidrs: [10.1.0.0/16] }${layout.end()}`,
    `${layout.end()}    cidrs: [10.1.0.0/16]${layout.end()}`,
    `${layout.end()}    cidrs:${layout.end()}      - 10.1.0.0/16${layout.end()}${layout.between('      ')}`,
  );
  const legacy = layout.one(
    ` { cidrs: [10.2.0.0/16], mode: observe }${layout.end()}`,
    ` {${layout.end()}    mode: observe,${layout.end()}    cidrs: [ 10.2.0.0/16, ],${layout.end()}  }${layout.end()}`,
    `${layout.end()}    mode: "observe"${layout.end()}    cidrs: [10.2.0.0/16]${layout.end()}`,
  );
  return `${layout.end()}  build:${build}${layout.between('  ')}  legacy:${legacy}`;
}

function rulesText(rules: readonly Rule[], layout: Layout): string {
  if (rules.length === 0) return ` ${layout.one('[]', '[ ]')}${layout.end()}`;
  const indent = layout.one('', '  ', '    ');
  const items = rules.map(each => {
    const keys = Object.entries(each).map(([key, item]) => keyText(key, item, `${indent}  `, layout));
    const first = layout.between(indent);
    return layout.one(true, true, false)
      ? `${first}${indent}- ${keys.join(`${indent}  `)}`
      : `${first}${indent}- ${flowValue(each, layout)}${layout.end()}`;
  });
  return `${layout.end()}${items.join('')}`;
}

function keyText(key: string, item: unknown, indent: string, layout: Layout): string {
  if (!Array.isArray(item)) return `${key}: ${layout.text(String(item))}${layout.end()}`;
  const inner = layout.one(indent, `${indent}  `);
  switch (layout.one('flow', 'block', 'lines')) {
    case 'block':
      return `${key}:${layout.end()}${item.map(each => `${layout.between(inner)}${inner}- ${flowValue(each, layout)}${layout.end()}`).join('')}`;
    case 'lines': {
      const lines = item.map((each, i) => {
        const comma = i < item.length - 1 ? ',' : layout.one(',', '');
        return `${indent}  ${flowValue(each, layout)}${comma}${layout.end()}`;
      });
      return `${key}: [${layout.end()}${lines.join('')}${indent}]${layout.end()}`;
    }
    default:
      return `${key}: ${flowValue(item, layout)}${layout.end()}`;
  }
}

function flowPolicy(value: Readonly<Record<string, unknown>>, layout: Layout): string {
  return layout.one('', `# head${layout.eol}`) + flowValue(value, layout) + layout.end();
}

function flowValue(value: unknown, layout: Layout): string {
  if (typeof value === 'string') return layout.text(value);
  if (typeof value !== 'object' || value === null) return String(value);
  const [open, close] = Array.isArray(value) ? ['[', ']'] : ['{', '}'];
  const items = Array.isArray(value)
    ? value.map(item => flowValue(item, layout))
    : Object.entries(value).map(([key, item]) => `${key}: ${flowValue(item, layout)}`);
  const separator = layout.one(', ', ',  ', ' , ');
  const pad = layout.one('', ' ');
  const comma = items.length > 0 ? layout.one('', '', ',') : '';
  return `${open}${pad}${items.join(separator)}${comma}${pad}${close}`;
}
