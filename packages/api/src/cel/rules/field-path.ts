/** `.spec.x['a.b']`: the little of JSONPath that names a field below a value. */

const STEP = /\.([A-Za-z_][A-Za-z0-9_-]*)|\['((?:[^'\\]|\\.)*)'\]/gy;

/** Undefined when the text is no such path. */
export function parseFieldPath(text: string): string[] | undefined {
  const steps: string[] = [];
  let at = 0;
  for (const match of text.matchAll(STEP)) {
    const [whole, name, quoted = ''] = match;
    at += whole.length;
    steps.push(name ?? quoted.replace(/\\(.)/g, '$1'));
  }
  return at === text.length ? steps : undefined;
}
