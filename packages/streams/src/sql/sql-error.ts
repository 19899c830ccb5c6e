/** What is wrong with a statement: where, what, and what to write instead. */
import type { Span } from './ast.ts';

export interface SqlProblem {
  readonly span: Span;
  /** A sentence without its place, lower case. */
  readonly problem: string;
  /** What to do about it, lower case. */
  readonly fix?: string;
}

export class SqlError extends Error {
  override readonly name = 'SqlError';
  readonly problem: string;
  readonly fix: string | undefined;
  readonly span: Span;
  /** From 1. */
  readonly line: number;
  /** From 1, in characters. */
  readonly column: number;
  /** The line of the text, and below it carets under the place. */
  readonly excerpt: string;

  constructor(text: string, { span, problem, fix }: SqlProblem) {
    const before = text.slice(0, span.start);
    const lineStart = before.lastIndexOf('\n') + 1;
    const line = before.split('\n').length;
    const column = span.start - lineStart + 1;
    super(`line ${line}, column ${column}: ${problem}${fix === undefined ? '' : `; ${fix}`}`);
    this.problem = problem;
    this.fix = fix;
    this.span = span;
    this.line = line;
    this.column = column;
    this.excerpt = excerptOf(text, lineStart, span);
  }
}

/** A row that an expression cannot work on, such as text where a number is needed. The rule goes on with the next row. */
export class RowError extends Error {
  override readonly name = 'RowError';
}

const EXCERPT_WIDTH = 100;

/** A long line is cut on both sides of the place. */
function excerptOf(text: string, lineStart: number, span: Span): string {
  const newline = text.indexOf('\n', span.start);
  const lineEnd = newline === -1 ? text.length : newline;
  const from = Math.max(lineStart, Math.min(span.start - EXCERPT_WIDTH / 2, lineEnd - EXCERPT_WIDTH));
  const shown = text
    .slice(from, Math.min(lineEnd, from + EXCERPT_WIDTH))
    .replaceAll('\t', ' ')
    .trimEnd();
  const indent = span.start - from;
  const carets = Math.max(1, Math.min(span.end, from + EXCERPT_WIDTH, lineEnd) - span.start);
  return `${shown}\n${' '.repeat(indent)}${'^'.repeat(carets)}`;
}
