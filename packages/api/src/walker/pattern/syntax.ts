/** Reads a regular expression of Go's dialect (RE2) into a tree; undefined for what that dialect does not have. */
import { type CharClass, classOf, negated, parseBracket, parseEscapedClass, singleChar } from './char-class.ts';

export type Node =
  | { readonly type: 'char'; readonly accepts: CharClass }
  | { readonly type: 'assert'; readonly at: 'start' | 'end' | 'line-start' | 'line-end' | 'word' | 'not-word' }
  | { readonly type: 'sequence'; readonly parts: readonly Node[] }
  | { readonly type: 'choice'; readonly options: readonly Node[] }
  | { readonly type: 'repeat'; readonly of: Node; readonly min: number; readonly max: number };

export interface Flags {
  readonly ignoreCase: boolean;
  readonly dotAll: boolean;
  readonly multiline: boolean;
}

/** A state of the reader: the text as code points, and where in it we are. */
export interface Cursor {
  readonly text: readonly string[];
  at: number;
}

/** Go refuses larger counts too. */
const MAX_COUNT = 1000;
/** Groups inside groups; far beyond any pattern a person writes. */
const MAX_NESTING = 100;
const NO_FLAGS: Flags = { ignoreCase: false, dotAll: false, multiline: false };

export function parsePattern(pattern: string): Node | undefined {
  const cursor: Cursor = { text: Array.from(pattern), at: 0 };
  const tree = parseChoice(cursor, NO_FLAGS, 0);
  return cursor.at === cursor.text.length ? tree : undefined;
}

function parseChoice(cursor: Cursor, outer: Flags, depth: number): Node | undefined {
  const options: Node[] = [];
  let flags = outer;
  for (;;) {
    const parts: Node[] = [];
    while (cursor.at < cursor.text.length && cursor.text[cursor.at] !== '|' && cursor.text[cursor.at] !== ')') {
      const changed = parseFlags(cursor, flags);
      if (changed !== undefined) {
        flags = changed;
        continue;
      }
      const atom = parseAtom(cursor, flags, depth);
      const repeated = atom === undefined ? undefined : parseRepeat(cursor, atom);
      if (repeated === undefined) return undefined;
      parts.push(repeated);
    }
    options.push({ type: 'sequence', parts });
    if (cursor.text[cursor.at] !== '|') return options.length === 1 ? options[0] : { type: 'choice', options };
    cursor.at++;
  }
}

/** `(?i)` changes how the rest of its group reads. */
function parseFlags(cursor: Cursor, flags: Flags): Flags | undefined {
  const match = /^\(\?([imsU]*)(?:-([imsU]+))?\)/.exec(cursor.text.slice(cursor.at, cursor.at + 12).join(''));
  if (match === null) return undefined;
  cursor.at += match[0].length;
  return withFlags(flags, match[1] ?? '', match[2] ?? '');
}

function withFlags(flags: Flags, on: string, off: string): Flags {
  const pick = (letter: string, now: boolean) => (on.includes(letter) ? true : off.includes(letter) ? false : now);
  return {
    ignoreCase: pick('i', flags.ignoreCase),
    dotAll: pick('s', flags.dotAll),
    multiline: pick('m', flags.multiline),
  };
}

function parseAtom(cursor: Cursor, flags: Flags, depth: number): Node | undefined {
  const char = cursor.text[cursor.at++] ?? '';
  switch (char) {
    case '(':
      return parseGroup(cursor, flags, depth + 1);
    case '[': {
      const accepts = parseBracket(cursor, flags.ignoreCase);
      return accepts === undefined ? undefined : { type: 'char', accepts };
    }
    case '.':
      return { type: 'char', accepts: flags.dotAll ? () => true : negated(singleChar('\n', false)) };
    case '^':
      return { type: 'assert', at: flags.multiline ? 'line-start' : 'start' };
    case '$':
      return { type: 'assert', at: flags.multiline ? 'line-end' : 'end' };
    case '\\':
      return parseEscape(cursor, flags);
    case '*':
    case '+':
    case '?':
      return undefined;
    default:
      return { type: 'char', accepts: singleChar(char, flags.ignoreCase) };
  }
}

function parseGroup(cursor: Cursor, outer: Flags, depth: number): Node | undefined {
  if (depth > MAX_NESTING) return undefined;
  let flags = outer;
  if (cursor.text[cursor.at] === '?') {
    const head = cursor.text.slice(cursor.at, cursor.at + 64).join('');
    const match = /^\?(?:P?<\w+>|([imsU]*)(?:-([imsU]+))?:)/.exec(head);
    if (match === null) return undefined;
    flags = withFlags(outer, match[1] ?? '', match[2] ?? '');
    cursor.at += match[0].length;
  }
  const inner = parseChoice(cursor, flags, depth);
  if (inner === undefined || cursor.text[cursor.at] !== ')') return undefined;
  cursor.at++;
  return inner;
}

function parseEscape(cursor: Cursor, flags: Flags): Node | undefined {
  const assertions: Readonly<Record<string, (Node & { readonly type: 'assert' })['at']>> = {
    A: 'start',
    z: 'end',
    b: 'word',
    B: 'not-word',
  };
  const at = assertions[cursor.text[cursor.at] ?? ''];
  if (at !== undefined) {
    cursor.at++;
    return { type: 'assert', at };
  }
  const accepts = parseEscapedClass(cursor, flags.ignoreCase);
  return accepts === undefined ? undefined : { type: 'char', accepts: classOf(accepts) };
}

function parseRepeat(cursor: Cursor, atom: Node): Node | undefined {
  let node = atom;
  for (;;) {
    const bounds = parseBounds(cursor);
    if (bounds === undefined) return node;
    if (bounds.max < bounds.min || bounds.min > MAX_COUNT) return undefined;
    if (bounds.max !== Number.POSITIVE_INFINITY && bounds.max > MAX_COUNT) return undefined;
    // A lazy mark changes which match is found, not whether there is one.
    if (cursor.text[cursor.at] === '?') cursor.at++;
    node = { type: 'repeat', of: node, ...bounds };
  }
}

function parseBounds(cursor: Cursor): { readonly min: number; readonly max: number } | undefined {
  const char = cursor.text[cursor.at];
  const simple = char === '*' || char === '+' || char === '?';
  if (simple) {
    cursor.at++;
    return { min: char === '+' ? 1 : 0, max: char === '?' ? 1 : Number.POSITIVE_INFINITY };
  }
  const match = /^\{(\d+)(,)?(\d*)\}/.exec(char === '{' ? cursor.text.slice(cursor.at, cursor.at + 16).join('') : '');
  if (match === null) return undefined;
  cursor.at += match[0].length;
  const min = Number(match[1]);
  if (match[2] === undefined) return { min, max: min };
  return { min, max: match[3] === '' ? Number.POSITIVE_INFINITY : Number(match[3]) };
}
