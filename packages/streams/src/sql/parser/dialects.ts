/** What people write who come from other dialects, and how it is said here. */
import type { TokenReader } from './token-reader.ts';

const WORDS: Readonly<Record<string, string>> = {
  DISTINCT: 'use GROUP BY with a window, or deduplicate(column, true)',
  TOP: 'write LIMIT at the end of the statement',
  OFFSET: 'a stream has no beginning to count from; leave OFFSET out',
  FETCH: 'write LIMIT',
  UNION: 'write two rules that go to one sink, or a stream that reads both',
  INTERSECT: 'join the streams in a window',
  ILIKE: 'write lower(column) LIKE "pattern"',
  RLIKE: 'write regexp_matches(column, "pattern")',
  REGEXP: 'write regexp_matches(column, "pattern")',
  GLOB: 'write LIKE with % and _',
  INTERVAL: 'write windows as TUMBLINGWINDOW(ss, 10), durations as "10s"',
  USING: 'write ON left.column = right.column',
  NATURAL: 'write INNER JOIN … ON left.column = right.column',
  OUTER: 'leave OUTER out',
  QUALIFY: 'put the call into a common table expression (WITH) and its condition into WHERE',
  TUMBLE: 'write TUMBLINGWINDOW(ss, 10)',
  TUMBLING: 'write TUMBLINGWINDOW(ss, 10)',
  HOP: 'write HOPPINGWINDOW(ss, 10, 5)',
  SESSION: 'write SESSIONWINDOW(ss, 10, 5)',
  EMIT: 'a window gives out when it ends; leave EMIT out',
  XOR: 'write a != b',
  DIV: 'write /; of two bigints it is the whole quotient',
  MOD: 'write %',
};

const SYMBOLS: Readonly<Record<string, string>> = {
  '==': 'write =',
  '&&': 'write AND',
  '||': 'write OR, or concat(a, b) for text',
  '!': 'write NOT',
  '::': 'write cast(value, "type")',
  '?': 'write the value itself; parameters are filled in before the statement is parsed',
  $: 'put names with special characters into backticks',
  '@': 'put names with special characters into backticks',
  '#': 'put names with special characters into backticks',
};

/** Words that begin another kind of statement. */
const STATEMENTS: Readonly<Record<string, string>> = {
  INSERT: 'a rule only selects; where its rows go is said by its sinks',
  UPDATE: 'a rule only selects; where its rows go is said by its sinks',
  DELETE: 'a rule only selects',
  CREATE: 'streams and tables are objects of their own: apply a Stream or a Table',
  DROP: 'streams and tables are objects of their own: delete them with kubectl',
  SHOW: 'list them with kubectl get streams',
  DESCRIBE: 'see it with kubectl get stream NAME -o yaml',
  EXPLAIN: 'write skerry rule explain NAME',
};

export function foreignHint(reader: TokenReader): string | undefined {
  const { token } = reader;
  if (token.kind === 'symbol') return SYMBOLS[token.text];
  return token.kind === 'word' ? WORDS[token.text.toUpperCase()] : undefined;
}

export function foreignStatement(reader: TokenReader): string | undefined {
  const { token } = reader;
  return token.kind === 'word' ? STATEMENTS[token.text.toUpperCase()] : undefined;
}
