/** Texts in quotes, as Go has them. */
const SIMPLE: Readonly<Record<string, string>> = {
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
};
const ESCAPE = /\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)/gs;

/** Undefined when an escape means nothing. */
export function unquote(quoted: string): string | undefined {
  const body = quoted.slice(1, -1);
  if (quoted.startsWith('`')) return body;
  let isKnown = true;
  const text = body.replaceAll(ESCAPE, (_whole, code: string) => {
    const simple = SIMPLE[code];
    if (simple !== undefined) return simple;
    const point = /^[xuU]./.test(code)
      ? Number.parseInt(code.slice(1), 16)
      : /^[0-7]{3}$/.test(code)
        ? Number.parseInt(code, 8)
        : -1;
    if (point < 0 || point > 0x10_ff_ff) {
      isKnown = false;
      return '';
    }
    return String.fromCodePoint(point);
  });
  return isKnown ? text : undefined;
}
