/**
 * `Object.spec{replicas: 2}` and `JSONPatch{op: 'add'}`: objects made by naming their type, which the library does not parse.
 * A name that a brace follows is nothing else in this language, so they are rewritten to maps before it reads them.
 */

/** Texts and comments are passed over; of the rest, only names and signs matter. */
const TOKEN =
  /(?<text>[rRbB]{0,2}(?:"""[\s\S]*?"""|'''[\s\S]*?'''|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'))|(?<comment>\/\/[^\n]*)|(?<name>[A-Za-z_][A-Za-z0-9_]*(?:\s*\.\s*[A-Za-z_][A-Za-z0-9_]*)*)|(?<space>\s+)|(?<number>\d[\dA-Za-z_.]*)|(?<sign>[\s\S])/gu;

/** The types that expressions of mutations may name: the object's own, as it is written, and a patch. */
const TYPE = /^(?:Object(?:\.\w+)*|JSONPatch)$/;

export interface Rewritten {
  readonly expression: string;
  /** What is wrong with the objects that it makes. */
  readonly fault?: string;
}

export function rewriteObjects(expression: string): Rewritten {
  const tokens = [...expression.matchAll(TOKEN)];
  const out: string[] = [];
  // Of each open bracket: whether it holds the fields of an object, whose names stand where a map's keys would.
  const open: boolean[] = [];
  let isFieldNext = false;
  for (const [index, { 0: text, groups = {} }] of tokens.entries()) {
    const { name, sign, space, comment } = groups;
    if (space !== undefined || comment !== undefined) {
      out.push(text);
      continue;
    }
    if (name !== undefined && nextSign(tokens, index) === '{') {
      const type = name.replace(/\s/g, '');
      if (!TYPE.test(type)) return { expression, fault: `undeclared reference to '${type}' (in container '')` };
      isFieldNext = true;
      continue;
    }
    if (sign === '{' || sign === '[' || sign === '(') open.push(sign === '{' && isFieldNext);
    else if (sign === '}' || sign === ']' || sign === ')') open.pop();
    const isField = name !== undefined && isFieldNext && sign === undefined;
    out.push(isField ? JSON.stringify(name.replace(/^__(\w+)__$/, '$1')) : text);
    isFieldNext = open.at(-1) === true && (sign === '{' || sign === ',');
  }
  return { expression: out.join('') };
}

function nextSign(tokens: readonly RegExpExecArray[], at: number): string | undefined {
  for (let next = at + 1; next < tokens.length; next++) {
    const groups = tokens[next]?.groups;
    if (groups?.['space'] === undefined && groups?.['comment'] === undefined) return groups?.['sign'];
  }
  return undefined;
}
