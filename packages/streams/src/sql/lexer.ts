/** Text to tokens. Blank space and comments go. */
import { SqlError } from './sql-error.ts';

export interface Token {
  /** A word may be a keyword or a name, a quoted one is always a name. */
  readonly kind: 'word' | 'quoted' | 'integer' | 'float' | 'string' | 'symbol' | 'end';
  /** As it counts: without quotes, escapes resolved. */
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** No statement of a person is longer. */
export const MAX_STATEMENT_LENGTH = 65_536;

const BLANK = /(?:\s+|\/\*[\s\S]*?\*\/|--[^\n]*)*/y;
const WORD = /[\p{L}_][\p{L}\p{N}_]*/uy;
const NUMBER = /(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?/y;
const SYMBOL = /->|<=|>=|<>|!=|==|&&|\|\||::|[-+*/%&|^=<>()[\].,:;!?@#$]/y;
const ESCAPE = /\\(?:u([0-9a-fA-F]{4})|([\s\S]))/g;

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f', 0: '\0' };

export function tokenize(text: string): readonly Token[] {
  if (text.length > MAX_STATEMENT_LENGTH) {
    throw new SqlError(text.slice(0, MAX_STATEMENT_LENGTH), {
      span: { start: 0, end: 1 },
      problem: `the statement has ${text.length} characters, ${MAX_STATEMENT_LENGTH} are allowed`,
      fix: 'split it into rules that read each other',
    });
  }
  const tokens: Token[] = [];
  for (let at = blankEnd(text, 0); at < text.length; ) {
    const token = tokenAt(text, at);
    tokens.push(token);
    at = blankEnd(text, token.end);
  }
  tokens.push({ kind: 'end', text: '', start: text.length, end: text.length });
  return tokens;
}

/** Whether the text, bare, is one name: it need not be quoted where a name stands. */
export function isBareName(text: string): boolean {
  WORD.lastIndex = 0;
  return WORD.exec(text)?.[0].length === text.length && text.length > 0;
}

function blankEnd(text: string, at: number): number {
  BLANK.lastIndex = at;
  BLANK.exec(text);
  return BLANK.lastIndex;
}

function tokenAt(text: string, start: number): Token {
  const first = text[start] ?? '';
  if (first === '`') return quoted(text, start, first, 'quoted');
  if (first === '"' || first === "'") return quoted(text, start, first, 'string');
  if (text.startsWith('/*', start)) throw unfinished(text, start, 'the comment', '*/');
  const number = match(NUMBER, text, start);
  if (number !== undefined) return numberToken(text, number, start);
  const word = match(WORD, text, start);
  if (word !== undefined) return { kind: 'word', text: word, start, end: start + word.length };
  const symbol = match(SYMBOL, text, start);
  if (symbol !== undefined) return { kind: 'symbol', text: symbol, start, end: start + symbol.length };
  throw strange(text, start);
}

function match(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

function numberToken(text: string, number: string, start: number): Token {
  const end = start + number.length;
  const tail = match(WORD, text, end);
  if (tail !== undefined) {
    throw new SqlError(text, {
      span: { start, end: end + tail.length },
      problem: `${number}${tail} is neither a number nor a name`,
      fix: `write \`${number}${tail}\` in backticks if it is a name`,
    });
  }
  return { kind: /^\d+$/.test(number) ? 'integer' : 'float', text: number, start, end };
}

/** Ends at the same quote; a backslash escapes, and a quote written twice is one. In backticks a backslash is itself. */
function quoted(text: string, start: number, quote: string, kind: 'quoted' | 'string'): Token {
  const hasEscapes = kind === 'string';
  let at = start + 1;
  while (at < text.length && (text[at] !== quote || text[at + 1] === quote)) {
    at += text[at] === quote || (hasEscapes && text[at] === '\\') ? 2 : 1;
  }
  if (at >= text.length) throw unfinished(text, start, hasEscapes ? 'the text' : 'the quoted name', quote);
  const raw = text.slice(start + 1, at);
  const content = hasEscapes ? unescaped(raw, quote) : raw.replaceAll('``', '`');
  if (kind === 'quoted' && content === '') {
    throw new SqlError(text, { span: { start, end: at + 1 }, problem: 'a name cannot be empty' });
  }
  return { kind, text: content, start, end: at + 1 };
}

function unescaped(raw: string, quote: string): string {
  return raw
    .replaceAll(quote + quote, `\\${quote}`)
    .replace(ESCAPE, (_, code: string | undefined, character: string) =>
      code === undefined ? (ESCAPES[character] ?? character) : String.fromCharCode(Number.parseInt(code, 16)),
    );
}

function unfinished(text: string, start: number, what: string, closing: string): SqlError {
  return new SqlError(text, {
    span: { start, end: start + 1 },
    problem: `${what} that begins here does not end`,
    fix: `close it with ${closing}`,
  });
}

const CURLY: Readonly<Record<string, string>> = {
  '“': '"',
  '”': '"',
  '‘': "'",
  '’': "'",
  '，': ',',
  '（': '(',
  '）': ')',
  '；': ';',
};

function strange(text: string, start: number): SqlError {
  const character = String.fromCodePoint(text.codePointAt(start) ?? 0);
  const plain = CURLY[character];
  return new SqlError(text, {
    span: { start, end: start + character.length },
    problem: `the character ${character} has no meaning here`,
    fix: plain === undefined ? 'put names with special characters into backticks' : `write ${plain}`,
  });
}
