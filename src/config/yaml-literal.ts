import { parse } from 'yaml';

/** What an edit can put into a document. */
export type YamlValue = string | number | readonly YamlValue[] | { readonly [key: string]: YamlValue };

/** The value on one line, as it may stand inside brackets: `{ name: x, hosts: [a.example] }`. */
export function inlineYaml(value: YamlValue): string {
  if (typeof value === 'number') return String(value);
  if (typeof value === 'string') return inlineText(value);
  if (isList(value)) return `[${value.map(inlineYaml).join(', ')}]`;
  const pairs = Object.entries(value).map(([key, item]) => `${inlineText(key)}: ${inlineYaml(item)}`);
  return `{ ${pairs.join(', ')} }`;
}

/** The value as an item of a block list, in lines without their breaks; `indent` stands before the dash. */
export function blockItem(value: YamlValue, indent: string): string[] {
  if (typeof value !== 'object' || isList(value)) return [`${indent}- ${inlineYaml(value)}`];
  const inner = `${indent}  `;
  const lines = Object.entries(value).flatMap(([key, item]) => {
    // Lists of texts grow: a line each keeps later changes apart. Ports are few.
    if (!isList(item) || item.some(part => typeof part === 'number'))
      return [`${inner}${inlineText(key)}: ${inlineYaml(item)}`];
    return [`${inner}${inlineText(key)}:`, ...item.flatMap(part => blockItem(part, `${inner}  `))];
  });
  return lines.map((line, i) => (i === 0 ? `${indent}- ${line.slice(inner.length)}` : line));
}

/** Plain where YAML reads it back as the same text, in any context; else in double quotes, which are JSON's. */
function inlineText(text: string): string {
  return /^[A-Za-z0-9][A-Za-z0-9._:/+-]*$/.test(text) && !text.endsWith(':') && parse(text) === text
    ? text
    : JSON.stringify(text);
}

function isList(value: YamlValue): value is readonly YamlValue[] {
  return Array.isArray(value);
}
