/** Whether a hostname matches a pattern, by trying everything that each star could stand for. */
export function patternHolds(pattern: string, hostname: string): boolean {
  if (pattern.startsWith('**.')) {
    const rest = pattern.slice(3);
    const labels = hostname.split('.');
    for (let skipped = 1; skipped < labels.length; skipped++) {
      if (labelsHold(rest.split('.'), labels.slice(skipped))) return true;
    }
    return false;
  }
  return labelsHold(pattern.split('.'), hostname.split('.'));
}

function labelsHold(globs: readonly string[], labels: readonly string[]): boolean {
  if (globs.length !== labels.length) return false;
  for (let i = 0; i < globs.length; i++) {
    if (!labelHolds(globs[i] ?? '', labels[i] ?? '')) return false;
  }
  return true;
}

function labelHolds(glob: string, label: string): boolean {
  if (glob === '') return label === '';
  if (glob[0] !== '*') return label[0] === glob[0] && labelHolds(glob.slice(1), label.slice(1));
  for (let taken = 1; taken <= label.length; taken++) {
    if (labelHolds(glob.slice(1), label.slice(taken))) return true;
  }
  return false;
}

/**
 * Compared label by label from the right: a literal before a glob, a glob with more literal characters before one with
 * fewer, `**` last. Negative: `a` is the more specific; 0: neither is.
 */
export function compareSpecificity(a: string, b: string): number {
  const left = a.split('.').reverse();
  const right = b.split('.').reverse();
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = gradeOf(right[i]) - gradeOf(left[i]);
    if (difference !== 0) return difference;
    if (left[i] !== right[i]) return 0;
  }
  return 0;
}

function gradeOf(label: string | undefined): number {
  if (label === undefined || label === '**') return -1;
  return label.includes('*') ? label.replaceAll('*', '').length : 1_000;
}
