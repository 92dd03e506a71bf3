import { z } from 'zod';
import type { DocumentPath } from './diagnostics.ts';
import { didYouMean, nearest } from './suggest.ts';

/** One fault of a value, before its place in the file is known. */
export interface ValueFault {
  readonly path: DocumentPath;
  readonly message: string;
  readonly fix: string;
  /** Whether the key is at fault rather than its value. */
  readonly atKey?: boolean;
}

/** Enough to mend a file by; a file with more is the wrong file. */
export const MAX_FAULTS = 100;

export type SchemaResult<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly faults: readonly ValueFault[] };

/** Holds a value against a schema; faults say what was expected, what was found and how to mend it. */
export function checkSchema<S extends z.ZodType>(schema: S, value: unknown): SchemaResult<z.output<S>> {
  const result = schema.safeParse(value);
  if (result.success) return { ok: true, value: result.data };
  const issues = result.error.issues.slice(0, MAX_FAULTS);
  return { ok: false, faults: issues.flatMap(issue => describeIssue(issue, schema, value)) };
}

function describeIssue(issue: z.core.$ZodIssue, root: z.core.$ZodType, value: unknown): ValueFault[] {
  const path = issue.path.map(part => (typeof part === 'number' ? part : String(part)));
  const found = valueAt(value, path);
  const schema = schemaAt(root, value, path);
  const one = (message: string, fix: string): ValueFault[] => [{ path, message, fix }];
  if (found === undefined && issue.code !== 'unrecognized_keys' && path.length > 0) {
    const key = path.at(-1);
    const fix = `add ${exampleOf(schema, String(key))}`;
    return [{ path: path.slice(0, -1), message: `${JSON.stringify(key)} is missing`, fix }];
  }
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map(key => ({
        path: [...path, key],
        message: `unknown key ${JSON.stringify(key)}`,
        fix: didYouMean(key, knownKeys(schema)),
        atKey: true,
      }));
    case 'invalid_value': {
      const values = issue.values.map(String);
      const near = typeof found === 'string' ? nearest(found, values) : null;
      const fix = near === null ? `write ${values.join(' or ')}` : `did you mean ${JSON.stringify(near)}?`;
      return one(`expected ${expectation(schema, values.join(' or '))}, got ${describe(found)}`, fix);
    }
    case 'invalid_union': {
      const options = discriminators(schema, issue.discriminator);
      const ofItems = Array.isArray(found) ? itemIssues(issue) : undefined;
      if (ofItems !== undefined) return ofItems.flatMap(inner => describeIssue(inner, root, value));
      if (options.length === 0) {
        const takesText = schema instanceof z.ZodUnion && schema.options.some(o => o instanceof z.ZodString);
        const fix = takesText ? typeFix('string', found, schema) : writeExample(schema);
        return one(`expected ${expectation(schema, 'another value')}, got ${describe(found)}`, fix);
      }
      const near = typeof found === 'string' ? nearest(found, options) : null;
      const fix = near === null ? `write ${options.join(' or ')}` : `did you mean ${JSON.stringify(near)}?`;
      return one(`expected ${options.join(', ')}, got ${describe(found)}`, fix);
    }
    case 'invalid_type':
      return one(
        `expected ${expectation(schema, typeName(issue.expected))}, got ${describe(found)}`,
        typeFix(issue.expected, found, schema),
      );
    case 'too_small':
      if (Array.isArray(found)) return one('the list is empty', writeExample(schema));
      return one(`${describe(found)} is too small`, `write at least ${String(issue.minimum)}`);
    case 'too_big':
      return one(`${describe(found)} is too large`, `write at most ${String(issue.maximum)}`);
    case 'custom':
      return one(
        issue.message,
        typeof issue.params?.fix === 'string' ? issue.params.fix : writeExample(schema),
      );
    default:
      return one(issue.message.charAt(0).toLowerCase() + issue.message.slice(1), writeExample(schema));
  }
}

/** Of a union that takes a list as well, what is wrong with the list that it got. */
function itemIssues(issue: z.core.$ZodIssueInvalidUnion): z.core.$ZodIssue[] | undefined {
  const ofList = issue.errors.find(issues =>
    issues.some(({ path, code }) => path.length > 0 || code === 'too_small'),
  );
  return ofList?.map(inner => ({ ...inner, path: [...issue.path, ...inner.path] }));
}

/** The schema for the value at a path; of a union, the branch that the value says it is. */
function schemaAt(root: z.core.$ZodType, value: unknown, path: DocumentPath): z.core.$ZodType {
  let schema = unwrap(root);
  let here = value;
  for (const step of path) {
    if (schema instanceof z.ZodDiscriminatedUnion) schema = branchOf(schema, here) ?? schema;
    let next: z.core.$ZodType | undefined;
    if (schema instanceof z.ZodObject)
      next = Object.hasOwn(schema.shape, step) ? schema.shape[step] : undefined;
    else if (schema instanceof z.ZodArray) next = schema.element;
    else if (schema instanceof z.ZodRecord) next = schema.valueType;
    if (next === undefined) return schema;
    // A description on an optional or default wrapper belongs to the value as well.
    schema = unwrap(next);
    here = valueAt(here, [step]);
  }
  return schema instanceof z.ZodDiscriminatedUnion ? (branchOf(schema, here) ?? schema) : schema;
}

function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  let inner = schema;
  for (;;) {
    if (inner instanceof z.ZodOptional || inner instanceof z.ZodDefault || inner instanceof z.ZodPrefault) {
      inner = inner.def.innerType;
    } else if (inner instanceof z.ZodPipe) {
      inner = inner.def.in;
    } else {
      return inner;
    }
  }
}

function branchOf(union: z.ZodDiscriminatedUnion, value: unknown): z.core.$ZodType | undefined {
  const said = valueAt(value, [union.def.discriminator]);
  return union.options.find(
    option =>
      option instanceof z.ZodObject &&
      literalsOf(option.shape[union.def.discriminator]).includes(String(said)),
  );
}

function discriminators(schema: z.core.$ZodType, key: string | undefined): string[] {
  if (!(schema instanceof z.ZodDiscriminatedUnion) || key === undefined) return [];
  return schema.options.flatMap(option =>
    option instanceof z.ZodObject ? literalsOf(option.shape[key]) : [],
  );
}

function literalsOf(schema: unknown): string[] {
  return schema instanceof z.ZodLiteral ? [...schema.values].map(String) : [];
}

function knownKeys(schema: z.core.$ZodType): string[] {
  return schema instanceof z.ZodObject ? Object.keys(schema.shape).filter(key => !key.startsWith('$')) : [];
}

function valueAt(value: unknown, path: DocumentPath): unknown {
  let here = value;
  for (const step of path) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, step)) return undefined;
    here = Reflect.get(here, step);
  }
  return here;
}

function metaOf(schema: z.core.$ZodType): { title?: string; example: unknown } {
  const meta = schema instanceof z.ZodType ? schema.meta() : undefined;
  const examples = meta?.examples;
  return {
    ...(typeof meta?.title === 'string' ? { title: meta.title } : {}),
    example: Array.isArray(examples) ? examples[0] : undefined,
  };
}

function expectation(schema: z.core.$ZodType, otherwise: string): string {
  return metaOf(schema).title ?? otherwise;
}

function writeExample(schema: z.core.$ZodType): string {
  const { example } = metaOf(schema);
  if (example !== undefined) return `write for example ${JSON.stringify(example)}`;
  const values = schema instanceof z.ZodEnum ? schema.options.map(String) : literalsOf(schema);
  if (values.length > 0) return `write ${values.join(' or ')}`;
  const keys = knownKeys(schema);
  return keys.length > 0 ? `write keys of: ${keys.join(', ')}` : 'see the schema for what belongs here';
}

function exampleOf(schema: z.core.$ZodType, key: string): string {
  const { example } = metaOf(schema);
  const options = discriminators(schema, key);
  if (options.length > 0) return `${key}: ${options.join(' or ')}`;
  const [first] = schema instanceof z.ZodEnum ? schema.options : literalsOf(schema);
  const value = example ?? first;
  if (value === undefined) return key;
  return `${key}: ${typeof value === 'string' ? value : JSON.stringify(value)}`;
}

function typeFix(expected: string, found: unknown, schema: z.core.$ZodType): string {
  const isScalar = typeof found === 'string' || typeof found === 'number' || typeof found === 'boolean';
  if (expected === 'array' && isScalar) return `write a list: [${JSON.stringify(found)}]`;
  const { title, example } = metaOf(schema);
  if (title?.endsWith('with a unit') === true && typeof found === 'number') {
    return `write the unit, as in ${String(example)}`;
  }
  if (expected === 'string' && typeof found === 'number') return `put it in quotes: "${found}"`;
  if (expected === 'boolean') return 'write true or false';
  return writeExample(schema);
}

function typeName(expected: string): string {
  switch (expected) {
    case 'array':
      return 'a list';
    case 'object':
    case 'record':
      return 'a map of keys and values';
    case 'int':
    case 'number':
      return 'a whole number';
    case 'boolean':
      return 'true or false';
    case 'string':
      return 'a text';
    default:
      return expected;
  }
}

function describe(value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map';
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
