import { Cidr } from '../policy/address.ts';
import type { EchMode, Mode } from '../policy/decision.ts';
import { describePatternFault, type HostPattern, parsePattern } from '../policy/pattern.ts';
import { SuffixGuard } from '../policy/public-suffix.ts';
import type { ParsedPolicy, Rule, SourceGroup, SourceItem } from '../policy/rules.ts';
import type { Diagnostic, DocumentPath } from './diagnostics.ts';
import type { PolicyFile } from './policy-file.ts';
import type { RuleInput } from './policy-schema.ts';
import { policyWarnings } from './policy-warnings.ts';
import { parseName } from './scalars.ts';
import { MAX_FAULTS } from './schema-diagnostics.ts';
import { didYouMean } from './suggest.ts';

export type BuildResult =
  | { readonly ok: true; readonly policy: ParsedPolicy; readonly warnings: readonly Diagnostic[] }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

/** Merges policy files into one policy: settings, variables and groups first, then the rules that use them. */
export function buildPolicy(files: readonly PolicyFile[], sha256: string, nowMs: number): BuildResult {
  const builder = new PolicyBuilder();
  for (const file of files) builder.addSettings(file);
  for (const file of files) builder.addRules(file);
  return builder.finish(sha256, nowMs);
}

/** Settings that several files may say, when they say the same. */
const SETTINGS = ['mode', 'observeUntil', 'ech'] as const;

class PolicyBuilder {
  readonly #errors: Diagnostic[] = [];
  readonly #warnings: Diagnostic[] = [];
  readonly #vars = new Map<string, { readonly value: string; readonly file: string }>();
  readonly #groups = new Map<string, SourceGroup>();
  readonly #said = new Map<string, { readonly value: unknown; readonly file: PolicyFile }>();
  readonly #names = new Map<string, Rule>();
  /** Groups and blocks by how `from` writes them. */
  readonly #blocks = new Map<string, SourceItem>();
  readonly #suffixes = new SuffixGuard();
  #mode: Mode = 'enforce';
  #observeUntilMs: number | null = null;
  #ech: EchMode = 'deny';

  addSettings(file: PolicyFile): void {
    const { input, source } = file;
    for (const key of SETTINGS) {
      // A default is nothing that a file says.
      if (typeof source.value !== 'object' || source.value === null || !Object.hasOwn(source.value, key))
        continue;
      const earlier = this.#said.get(key);
      if (earlier !== undefined && earlier.value !== input[key]) {
        this.#error(file, [key], `${earlier.file.file} says another ${key}`, 'say it in one file');
      }
      this.#said.set(key, { value: input[key], file });
      if (key === 'mode') this.#mode = input.mode;
      else if (key === 'ech') this.#ech = input.ech;
      else this.#observeUntilMs = input.observeUntil ?? null;
    }
    for (const [name, value] of Object.entries(input.vars)) this.#addVar(file, name, value);
    for (const name of Object.keys(input.sources)) this.#addGroup(file, name);
  }

  addRules(file: PolicyFile): void {
    for (const [index, input] of file.input.rules.entries()) {
      if (this.#errors.length >= MAX_FAULTS) return;
      const path = ['rules', index];
      const place = file.source.rules[index] ?? { offset: 0, hosts: [] };
      const location = { file: file.file, ...file.source.lines.position(place.offset) };
      const rule: Rule = {
        name: input.name,
        action: input.action,
        hosts: this.#hosts(file, path, input),
        hostPositions: input.hosts.map((_, i) => file.source.lines.position(place.hosts[i] ?? place.offset)),
        ports: [...new Set(input.ports)].sort((a, b) => a - b),
        from: this.#from(file, path, input),
        untilMs: input.until ?? null,
        allowPrivate: input.allowPrivate,
        ech: input.ech ?? null,
        location,
      };
      const earlier = this.#names.get(rule.name);
      if (earlier !== undefined) {
        const { file: where, line } = earlier.location;
        const message = `the name ${JSON.stringify(rule.name)} is taken by the rule at ${where}:${line}`;
        this.#error(file, [...path, 'name'], message, 'give each rule a name of its own');
      } else {
        this.#names.set(rule.name, rule);
      }
    }
  }

  finish(sha256: string, nowMs: number): BuildResult {
    if (this.#errors.length > 0) return { ok: false, diagnostics: this.#errors };
    const policy = {
      mode: this.#mode,
      observeUntilMs: this.#observeUntilMs,
      ech: this.#ech,
      sources: [...this.#groups.values()],
      rules: [...this.#names.values()],
      sha256,
    };
    this.#checkObserveUntil(nowMs);
    return { ok: true, policy, warnings: [...this.#warnings, ...policyWarnings(policy, nowMs)] };
  }

  #checkObserveUntil(nowMs: number): void {
    const file = this.#said.get('observeUntil')?.file;
    if (file === undefined || this.#observeUntilMs === null) return;
    const path = ['observeUntil'];
    if (this.#mode === 'enforce') {
      const fault = {
        path,
        message: 'has no meaning where mode is enforce',
        fix: 'remove it, or say mode: observe',
      };
      this.#warnings.push(file.diagnose('warning', fault));
    } else if (this.#observeUntilMs <= nowMs) {
      const fault = { path, message: 'has passed: the policy is enforced', fix: 'say mode: enforce instead' };
      this.#warnings.push(file.diagnose('warning', fault));
    }
  }

  #addVar(file: PolicyFile, name: string, value: string): void {
    const path = ['vars', name];
    const earlier = this.#vars.get(name);
    if (earlier !== undefined)
      this.#error(file, path, `${earlier.file} has this variable too`, 'say it in one file');
    if (!/^[A-Za-z][\w-]*$/.test(name)) {
      this.#error(file, path, 'a variable is named by letters, digits, underscores and hyphens', 'rename it');
    }
    // No wildcard comes in by a variable: the pattern must show what it opens.
    if (!/^[A-Za-z0-9._-]+$/.test(value)) {
      const message = 'a variable holds letters, digits, dots, underscores and hyphens';
      this.#error(file, path, message, 'write a wildcard in hosts instead');
    }
    this.#vars.set(name, { value, file: file.file });
  }

  #addGroup(file: PolicyFile, name: string): void {
    const input = file.input.sources[name];
    if (input === undefined) return;
    const path = ['sources', name];
    const named = parseName(name);
    if (!named.ok) this.#error(file, path, named.message, named.fix);
    if (Cidr.parse(name) !== null) this.#error(file, path, 'a group named like an address', 'rename it');
    const earlier = this.#groups.get(name);
    if (earlier !== undefined) {
      this.#error(file, path, `${earlier.location.file} has this group too`, 'say it in one file');
    }
    const location = { file: file.file, ...file.source.locate(path, 'key') };
    const cidrs: Cidr[] = [];
    for (const [i, text] of input.cidrs.entries()) {
      const cidr = Cidr.parse(text);
      if (cidr === null)
        this.#error(file, [...path, 'cidrs', i], `${JSON.stringify(text)} is no address or block`, CIDR_FIX);
      else cidrs.push(cidr);
    }
    this.#groups.set(name, { name, cidrs, mode: input.mode ?? null, location });
    this.#blocks.set(name, { text: name, cidrs });
  }

  #hosts(file: PolicyFile, path: DocumentPath, input: RuleInput): HostPattern[] {
    const patterns: HostPattern[] = [];
    for (const [i, text] of input.hosts.entries()) {
      const at = [...path, 'hosts', i];
      const expanded = text.includes('{') || text.includes('}') ? this.#expand(file, at, text) : text;
      if (expanded === null) continue;
      const parsed = parsePattern(expanded);
      if (!parsed.ok) {
        const { message, fix } = describePatternFault(parsed.fault, expanded);
        this.#error(file, at, message, fix);
        continue;
      }
      this.#checkSuffix(file, at, input, parsed.pattern);
      patterns.push(parsed.pattern);
    }
    return patterns;
  }

  #expand(file: PolicyFile, path: DocumentPath, text: string): string | null {
    let failed = false;
    const expanded = text.replace(/\{([^{}]*)\}/g, (_, name: string) => {
      const found = this.#vars.get(name);
      if (found !== undefined) return found.value;
      failed = true;
      const known = [...this.#vars.keys()];
      const fix = known.length === 0 ? `add vars: { ${name}: … }` : didYouMean(name, known);
      this.#error(file, path, `unknown variable ${JSON.stringify(name)}`, fix);
      return '';
    });
    if (!failed && /[{}]/.test(expanded)) {
      failed = true;
      this.#error(file, path, 'a brace without its partner', 'write a variable as {name}');
    }
    return failed ? null : expanded;
  }

  /** A deny rule may cover what it likes. */
  #checkSuffix(file: PolicyFile, path: DocumentPath, input: RuleInput, pattern: HostPattern): void {
    if (input.acceptPublicSuffix || input.action === 'deny') return;
    if (!pattern.deep && !pattern.text.includes('*')) return;
    const verdict = this.#suffixes.judge(pattern);
    if (verdict.kind === 'covered') {
      const message = `${JSON.stringify(pattern.text)} covers ${verdict.suffix}, where names have unrelated owners`;
      this.#error(file, path, message, 'name the hosts, or say acceptPublicSuffix: true');
    } else if (verdict.kind === 'registrable') {
      const message = `anyone can register a name under ${verdict.suffix} that matches ${JSON.stringify(pattern.text)}`;
      this.#warnings.push(
        file.diagnose('warning', { path, message, fix: 'name the hosts, or say acceptPublicSuffix: true' }),
      );
    }
  }

  #from(file: PolicyFile, path: DocumentPath, input: RuleInput): SourceItem[] {
    const items: SourceItem[] = [];
    for (const [i, text] of (input.from ?? []).entries()) {
      let item = this.#blocks.get(text);
      if (item === undefined) {
        const cidr = Cidr.parse(text);
        if (cidr === null) {
          const looksLikeName = /^[A-Za-z]/.test(text) && !text.includes(':');
          const fix =
            looksLikeName && this.#groups.size > 0 ? didYouMean(text, [...this.#groups.keys()]) : CIDR_FIX;
          this.#error(
            file,
            [...path, 'from', i],
            `${JSON.stringify(text)} is neither a group of sources nor a block`,
            fix,
          );
          continue;
        }
        item = { text, cidrs: [cidr] };
        this.#blocks.set(text, item);
      }
      items.push(item);
    }
    return items;
  }

  #error(file: PolicyFile, path: DocumentPath, message: string, fix: string): void {
    this.#errors.push(file.diagnose('error', { path, message, fix }));
  }
}

const CIDR_FIX = 'write an address or a block such as 10.12.4.0/24';
