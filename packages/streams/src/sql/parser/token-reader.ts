/** The place in the tokens, and the errors that say what was expected there. */
import type { Name, Span } from '../ast.ts';
import { type Token, tokenize } from '../lexer.ts';
import { nearest } from '../nearest.ts';
import { SqlError } from '../sql-error.ts';
import { foreignHint } from './dialects.ts';
import { isReserved } from './keywords.ts';

/** Deeper nesting than any person writes; it bounds the stack of everything that walks a statement. */
const MAX_DEPTH = 64;
/** Of one expression. `a OR b OR c …` is as deep as it is long, so this bounds the stack too. */
const MAX_OPERATORS = 500;

export class TokenReader {
  readonly text: string;
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;
  #operators = 0;

  constructor(text: string) {
    this.text = text;
    this.#tokens = tokenize(text);
  }

  get token(): Token {
    return this.peek(0);
  }

  peek(ahead: number): Token {
    const token = this.#tokens[Math.min(this.#at + ahead, this.#tokens.length - 1)];
    if (token === undefined) throw new RangeError('the last token is the end');
    return token;
  }

  next(): Token {
    const { token } = this;
    this.#at += 1;
    return token;
  }

  /** Where the token before this one ends. */
  get lastEnd(): number {
    return this.#tokens[this.#at - 1]?.end ?? 0;
  }

  spanFrom(start: number): Span {
    return { start, end: this.lastEnd };
  }

  isSymbol(symbol: string, ahead = 0): boolean {
    const token = this.peek(ahead);
    return token.kind === 'symbol' && token.text === symbol;
  }

  isWord(word: string, ahead = 0): boolean {
    const token = this.peek(ahead);
    return token.kind === 'word' && token.text.toUpperCase() === word;
  }

  takeSymbol(symbol: string): boolean {
    if (!this.isSymbol(symbol)) return false;
    this.#at += 1;
    return true;
  }

  takeWord(word: string): boolean {
    if (!this.isWord(word)) return false;
    this.#at += 1;
    return true;
  }

  expectSymbol(symbol: string, purpose: string): void {
    if (!this.takeSymbol(symbol)) throw this.expected(`${symbol} ${purpose}`, `write ${symbol}`);
  }

  expectWord(word: string, purpose: string): void {
    if (this.takeWord(word)) return;
    const { token } = this;
    const isMisspelt = token.kind === 'word' && nearest(token.text, [word]) !== undefined;
    throw this.expected(`${word} ${purpose}`, isMisspelt ? `did you mean ${word}?` : `write ${word}`);
  }

  /** A name for something new, or of something that there is. */
  expectName(what: string): Name {
    const { token } = this;
    if (token.kind === 'string') throw this.expected(what, `write the name without quotes, or as \`${token.text}\``);
    if (token.kind === 'word' && isReserved(token.text)) {
      throw this.expected(what, `${token.text.toUpperCase()} is reserved; as a name, write \`${token.text}\``);
    }
    if (token.kind !== 'word' && token.kind !== 'quoted') throw this.expected(what);
    this.#at += 1;
    return { text: token.text, span: { start: token.start, end: token.end } };
  }

  isName(ahead = 0): boolean {
    const token = this.peek(ahead);
    return token.kind === 'quoted' || (token.kind === 'word' && !isReserved(token.text));
  }

  expectInteger(what: string): number {
    const { token } = this;
    const value = Number(token.text);
    if (token.kind !== 'integer' || !Number.isSafeInteger(value)) throw this.expected(what, 'write a whole number');
    this.#at += 1;
    return value;
  }

  /** Everything between `open` and `close`, with commas between. */
  list<Item>(close: string, what: string, item: () => Item): Item[] {
    const items: Item[] = [];
    do {
      if (this.isSymbol(close) && items.length > 0) throw this.expected(what, 'leave out the comma before it');
      items.push(item());
    } while (this.takeSymbol(','));
    if (!this.isSymbol(close) && this.#beginsItem())
      throw this.expected(`, or ${close}`, 'write a comma between the two');
    this.expectSymbol(close, `after ${what}`);
    return items;
  }

  #beginsItem(): boolean {
    const { token } = this;
    return this.isName() || token.kind === 'integer' || token.kind === 'float' || token.kind === 'string';
  }

  countOperator(): void {
    this.#operators += 1;
    if (this.#operators > MAX_OPERATORS) {
      throw this.fail(`more than ${MAX_OPERATORS} operators in one expression`, 'use IN, or join with a Table');
    }
  }

  /** Runs `inner` one level deeper. */
  nested<Result>(inner: () => Result): Result {
    if (this.#depth === 0) this.#operators = 0;
    if (this.#depth === MAX_DEPTH) throw this.fail(`more than ${MAX_DEPTH} levels of nesting`, 'name parts of it');
    this.#depth += 1;
    const result = inner();
    this.#depth -= 1;
    return result;
  }

  expected(what: string, fix?: string): SqlError {
    const { token } = this;
    const hint = foreignHint(this) ?? fix;
    return this.fail(`expected ${what}, found ${describe(token)}`, hint);
  }

  fail(problem: string, fix?: string, span?: Span): SqlError {
    const { token } = this;
    const place = span ?? { start: token.start, end: Math.max(token.end, token.start + 1) };
    return new SqlError(this.text, { span: place, problem, ...(fix === undefined ? {} : { fix }) });
  }
}

function describe(token: Token): string {
  switch (token.kind) {
    case 'end':
      return 'the end of the statement';
    case 'string':
      return `the text "${token.text}"`;
    case 'quoted':
      return `\`${token.text}\``;
    default:
      return token.text;
  }
}
