/** Sets of characters: what one step of a pattern accepts, as a predicate over a code point's string. */
import type { Cursor } from './syntax.ts';

export type CharClass = (char: string) => boolean;

const DIGIT: CharClass = (char) => char >= '0' && char <= '9' && char.length === 1;
const WORD: CharClass = (char) => /^[0-9A-Za-z_]$/.test(char);
const SPACE: CharClass = (char) => /^[\t\n\f\r ]$/.test(char);

const PERL: Readonly<Record<string, CharClass>> = {
  d: DIGIT,
  D: negated(DIGIT),
  w: WORD,
  W: negated(WORD),
  s: SPACE,
  S: negated(SPACE),
};

const POSIX: Readonly<Record<string, RegExp>> = {
  alnum: /^[0-9A-Za-z]$/,
  alpha: /^[A-Za-z]$/,
  ascii: /^[\0-\x7f]$/,
  blank: /^[\t ]$/,
  cntrl: /^\p{Cc}$/u,
  digit: /^[0-9]$/,
  graph: /^[!-~]$/,
  lower: /^[a-z]$/,
  print: /^[ -~]$/,
  punct: /^[!-/:-@[-`{-~]$/,
  space: /^[\t\n\v\f\r ]$/,
  upper: /^[A-Z]$/,
  word: /^[0-9A-Za-z_]$/,
  xdigit: /^[0-9A-Fa-f]$/,
};

const CONTROLS: Readonly<Record<string, string>> = { a: '\x07', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' };

export const isWordChar: CharClass = WORD;

export function negated(accepts: CharClass): CharClass {
  return (char) => !accepts(char);
}

export function singleChar(wanted: string, ignoreCase: boolean): CharClass {
  if (!ignoreCase) return (char) => char === wanted;
  const lower = wanted.toLowerCase();
  return (char) => char.toLowerCase() === lower;
}

/** What an escape stands for: one character, or a class. */
export function parseEscapedClass(cursor: Cursor, ignoreCase: boolean): CharClass | string | undefined {
  const char = cursor.text[cursor.at++];
  if (char === undefined) return undefined;
  const perl = Object.hasOwn(PERL, char) ? PERL[char] : undefined;
  if (perl !== undefined) return perl;
  if (char === 'p' || char === 'P') return parseUnicodeClass(cursor, char === 'P');
  const literal = parseEscapedChar(cursor, char);
  if (literal === undefined) return undefined;
  return ignoreCase ? singleChar(literal, true) : literal;
}

export function classOf(escaped: CharClass | string): CharClass {
  return typeof escaped === 'string' ? singleChar(escaped, false) : escaped;
}

function parseEscapedChar(cursor: Cursor, char: string): string | undefined {
  if (Object.hasOwn(CONTROLS, char)) return CONTROLS[char];
  if (char === 'x') return parseHex(cursor);
  // Go accepts a backslash before punctuation only.
  return /[0-9A-Za-z]/.test(char) ? undefined : char;
}

function parseHex(cursor: Cursor): string | undefined {
  const match = /^(?:\{([0-9A-Fa-f]{1,6})\}|([0-9A-Fa-f]{2}))/.exec(
    cursor.text.slice(cursor.at, cursor.at + 8).join(''),
  );
  if (match === null) return undefined;
  cursor.at += match[0].length;
  const code = Number.parseInt(match[1] ?? match[2] ?? '', 16);
  return code <= 0x10ffff ? String.fromCodePoint(code) : undefined;
}

/** The platform knows Unicode's classes; one character at a time it cannot backtrack. */
function parseUnicodeClass(cursor: Cursor, isNegated: boolean): CharClass | undefined {
  const match = /^(?:\{(\^?)(\w+)\}|([A-Z]))/.exec(cursor.text.slice(cursor.at, cursor.at + 40).join(''));
  if (match === null) return undefined;
  cursor.at += match[0].length;
  const name = match[2] ?? match[3] ?? '';
  const expression = unicodeExpression(name);
  if (expression === undefined) return undefined;
  const accepts: CharClass = (char) => expression.test(char);
  return isNegated !== (match[1] === '^') ? negated(accepts) : accepts;
}

function unicodeExpression(name: string): RegExp | undefined {
  for (const property of [name, `Script=${name}`]) {
    try {
      return new RegExp(`^\\p{${property}}$`, 'u');
    } catch {
      // Not a general category; it may be a script.
    }
  }
  return undefined;
}

/** `[a-z_]`, entered after the bracket that opens it. */
export function parseBracket(cursor: Cursor, ignoreCase: boolean): CharClass | undefined {
  const isNegated = cursor.text[cursor.at] === '^';
  if (isNegated) cursor.at++;
  const members: CharClass[] = [];
  for (let isFirst = true; isFirst || cursor.text[cursor.at] !== ']'; isFirst = false) {
    const member = parseMember(cursor, ignoreCase);
    if (member === undefined) return undefined;
    members.push(member);
  }
  cursor.at++;
  const accepts: CharClass = (char) => members.some((member) => member(char));
  return isNegated ? negated(accepts) : accepts;
}

function parseMember(cursor: Cursor, ignoreCase: boolean): CharClass | undefined {
  const posix = /^\[:(\^?)(\w+):\]/.exec(cursor.text.slice(cursor.at, cursor.at + 14).join(''));
  if (posix !== null) {
    cursor.at += posix[0].length;
    const expression = POSIX[posix[2] ?? ''];
    if (expression === undefined) return undefined;
    return (char) => expression.test(char) !== (posix[1] === '^');
  }
  const low = parseMemberChar(cursor);
  if (typeof low !== 'string') return low;
  const isRange = cursor.text[cursor.at] === '-' && cursor.text[cursor.at + 1] !== ']';
  if (!isRange) return singleChar(low, ignoreCase);
  cursor.at++;
  const high = parseMemberChar(cursor);
  return typeof high === 'string' ? range(low, high, ignoreCase) : undefined;
}

function parseMemberChar(cursor: Cursor): CharClass | string | undefined {
  const char = cursor.text[cursor.at++];
  return char === '\\' ? parseEscapedClass(cursor, false) : char;
}

function range(low: string, high: string, ignoreCase: boolean): CharClass | undefined {
  const [from = 0, to = 0] = [low.codePointAt(0), high.codePointAt(0)];
  if (to < from) return undefined;
  const inRange: CharClass = (char) => {
    const code = char.codePointAt(0) ?? -1;
    return code >= from && code <= to;
  };
  return ignoreCase ? (char) => inRange(char.toLowerCase()) || inRange(char.toUpperCase()) : inRange;
}
