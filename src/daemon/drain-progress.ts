/** How often it is said how many flows are left. */
const SAY_MS = 5_000;

/** Says at intervals how many flows are left. Returns what ends that. */
export function sayWhatIsLeft(openFlows: () => number, say: (left: string) => void): () => void {
  const timer = setInterval(() => {
    const open = openFlows();
    if (open > 0) say(`${open} ${open === 1 ? 'flow is' : 'flows are'} still open`);
  }, SAY_MS);
  return () => clearInterval(timer);
}
