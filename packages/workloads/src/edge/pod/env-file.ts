/** Variables that an init container wrote to a file (KEP-3721): a line `NAME='value'` each, values in single quotes over many lines. Pure. */

const BLANK = /^[ \t]*(#.*)?$/;
const NAMED = /^[ \t]*([^=\s'#]+)=(.*)$/;

/** `invalid` when any line is neither a variable nor a comment: half of a file would be no help to anybody. */
export function parseEnvFile(text: string): ReadonlyMap<string, string> | 'invalid' {
  const variables = new Map<string, string>();
  const lines = text.split('\n');
  for (let line = lines.shift(); line !== undefined; line = lines.shift()) {
    if (BLANK.test(line)) continue;
    const [, name, rest = ''] = NAMED.exec(line) ?? [];
    if (name === undefined) return 'invalid';
    const value = rest.startsWith("'") ? quoted(rest.slice(1), lines) : plain(rest);
    if (value === undefined) return 'invalid';
    variables.set(name, value);
  }
  return variables;
}

/** Up to the closing quote, for which further lines are taken. */
function quoted(start: string, lines: string[]): string | undefined {
  let text = start;
  while (!text.includes("'")) {
    const next = lines.shift();
    if (next === undefined) return undefined;
    text += `\n${next}`;
  }
  const end = text.indexOf("'");
  return BLANK.test(text.slice(end + 1)) ? text.slice(0, end) : undefined;
}

function plain(text: string): string | undefined {
  return text.includes("'") ? undefined : text.trim();
}
