/** Expressions by binding power. */
import type { Binary, BinaryOperator, Call, CaseBranch, Expression, Over, Span } from '../ast.ts';
import type { TokenReader } from './token-reader.ts';

/** What binds tighter has the greater number. */
export const Power = { or: 1, and: 2, not: 3, comparison: 4, additive: 5, multiplicative: 6, negation: 7 } as const;

const BINARY: Readonly<Record<string, readonly [power: number, operator: BinaryOperator]>> = {
  OR: [Power.or, 'or'],
  AND: [Power.and, 'and'],
  '=': [Power.comparison, '='],
  '!=': [Power.comparison, '!='],
  '<>': [Power.comparison, '!='],
  '<': [Power.comparison, '<'],
  '<=': [Power.comparison, '<='],
  '>': [Power.comparison, '>'],
  '>=': [Power.comparison, '>='],
  '+': [Power.additive, '+'],
  '-': [Power.additive, '-'],
  '|': [Power.additive, '|'],
  '^': [Power.additive, '^'],
  '*': [Power.multiplicative, '*'],
  '/': [Power.multiplicative, '/'],
  '%': [Power.multiplicative, '%'],
  '&': [Power.multiplicative, '&'],
};

/** The binding power of an operator. */
export function powerOf(operator: BinaryOperator): number {
  return BINARY[operator.toUpperCase()]?.[0] ?? 0;
}

export function parseExpression(reader: TokenReader, minimum = 0): Expression {
  return reader.nested(() => {
    let left = parsePrefix(reader);
    for (let more = parseInfix(reader, left, minimum); more !== undefined; more = parseInfix(reader, left, minimum)) {
      reader.countOperator();
      left = more;
    }
    return left;
  });
}

function parsePrefix(reader: TokenReader): Expression {
  const { start } = reader.token;
  if (reader.takeWord('NOT')) {
    const operand = parseExpression(reader, Power.not);
    return { kind: 'unary', operator: 'not', operand, span: reader.spanFrom(start) };
  }
  if (reader.takeSymbol('-')) return parseNegation(reader, start);
  return parsePostfix(reader, parsePrimary(reader));
}

/** `-5` is a number, `-a` an operation. */
function parseNegation(reader: TokenReader, start: number): Expression {
  const operand = parseExpression(reader, Power.negation);
  const span = reader.spanFrom(start);
  if (operand.kind === 'literal' && isPlainNumber(operand.value)) return { ...operand, value: -operand.value, span };
  return { kind: 'unary', operator: '-', operand, span };
}

function isPlainNumber(value: unknown): value is number {
  return typeof value === 'number' && value > 0;
}

function parsePrimary(reader: TokenReader): Expression {
  const { token } = reader;
  const span = { start: token.start, end: token.end };
  switch (token.kind) {
    case 'integer':
      reader.next();
      return { kind: 'literal', value: integerOf(reader, token.text, span), type: 'bigint', span };
    case 'float':
      reader.next();
      return { kind: 'literal', value: floatOf(reader, token.text, span), type: 'float', span };
    case 'string':
      reader.next();
      return { kind: 'literal', value: token.text, type: 'string', span };
    case 'quoted':
      reader.next();
      return { kind: 'name', name: token.text, span };
    case 'word':
      return parseWord(reader);
    default:
      return parseSymbol(reader);
  }
}

const MAX_BIGINT = 2n ** 63n - 1n;

function integerOf(reader: TokenReader, digits: string, span: Span): number | bigint {
  const value = Number(digits);
  if (Number.isSafeInteger(value)) return value;
  if (BigInt(digits) > MAX_BIGINT) throw reader.fail(`${digits} does not fit into a bigint`, `write ${digits}.0`, span);
  return BigInt(digits);
}

function floatOf(reader: TokenReader, digits: string, span: Span): number {
  const value = Number(digits);
  if (!Number.isFinite(value)) throw reader.fail(`${digits} does not fit into a float`, undefined, span);
  return value;
}

function parseWord(reader: TokenReader): Expression {
  const { token } = reader;
  const span = { start: token.start, end: token.end };
  switch (token.text.toUpperCase()) {
    case 'TRUE':
    case 'FALSE':
      reader.next();
      return { kind: 'literal', value: token.text.toUpperCase() === 'TRUE', type: 'boolean', span };
    case 'NULL':
      reader.next();
      return { kind: 'literal', value: null, type: 'null', span };
    case 'CASE':
      return parseCase(reader);
    default:
  }
  const { text } = reader.expectName('an expression');
  if (reader.isSymbol('(')) return parseCall(reader, text, token.start);
  return { kind: 'name', name: text, span };
}

function parseSymbol(reader: TokenReader): Expression {
  const { token } = reader;
  if (reader.takeSymbol('(')) {
    if (reader.isWord('SELECT')) {
      throw reader.fail('a SELECT cannot stand inside of an expression', 'name it before with WITH name AS (SELECT …)');
    }
    const inner = parseExpression(reader);
    reader.expectSymbol(')', 'to close the parenthesis');
    return inner;
  }
  if (reader.takeSymbol('*')) return { kind: 'star', span: { start: token.start, end: token.end } };
  throw reader.expected('an expression', reader.isSymbol(',') ? 'leave out the comma' : undefined);
}

function parsePostfix(reader: TokenReader, primary: Expression): Expression {
  const { start } = primary.span;
  let expression = primary;
  for (;;) {
    if (expression !== primary) reader.countOperator();
    if (reader.isSymbol('.') || reader.isSymbol('->')) {
      const through = reader.next().text === '.' ? '.' : '->';
      if (reader.isSymbol('*')) throw reader.expected(`a field after ${through}`, 'source.* stands alone in SELECT');
      const { text: name } = reader.expectName(`a field after ${through}`);
      expression = { kind: 'member', object: expression, name, through, span: reader.spanFrom(start) };
    } else if (reader.takeSymbol('[')) {
      expression = parseBracket(reader, expression);
    } else {
      return expression;
    }
  }
}

/** `[i]`, `[from:to]`, `[from:]`, `[:to]`, `[:]` and `[]`, which is all. */
function parseBracket(reader: TokenReader, object: Expression): Expression {
  const { start } = object.span;
  if (reader.takeSymbol(']')) return { kind: 'slice', object, span: reader.spanFrom(start) };
  const from = reader.isSymbol(':') ? undefined : parseExpression(reader);
  if (!reader.takeSymbol(':')) {
    reader.expectSymbol(']', 'after the index');
    if (from === undefined) throw reader.expected('an index');
    return { kind: 'index', object, index: from, span: reader.spanFrom(start) };
  }
  const to = reader.isSymbol(']') ? undefined : parseExpression(reader);
  reader.expectSymbol(']', 'after the range');
  const bounds = { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
  return { kind: 'slice', object, ...bounds, span: reader.spanFrom(start) };
}

function parseInfix(reader: TokenReader, left: Expression, minimum: number): Expression | undefined {
  const { token } = reader;
  if (token.kind !== 'word' && token.kind !== 'symbol') return undefined;
  const [power, operator] = BINARY[token.text.toUpperCase()] ?? [];
  if (power === undefined || operator === undefined) return parseTest(reader, left, minimum);
  if (power <= minimum) return undefined;
  reader.next();
  const right = parseExpression(reader, power);
  const span = reader.spanFrom(left.span.start);
  if (power === Power.comparison && isComparison(reader.token.text)) {
    throw reader.fail('a comparison has two sides', 'join two comparisons with AND, or use BETWEEN');
  }
  return { kind: 'binary', operator, left, right, span } satisfies Binary;
}

function isComparison(text: string): boolean {
  return BINARY[text]?.[0] === Power.comparison;
}

/** `[NOT] BETWEEN`, `[NOT] LIKE`, `[NOT] IN`, `IS [NOT] NULL`. */
function parseTest(reader: TokenReader, operand: Expression, minimum: number): Expression | undefined {
  if (minimum >= Power.comparison) return undefined;
  const isNegated = reader.isWord('NOT');
  const ahead = isNegated ? 1 : 0;
  const test = ['BETWEEN', 'LIKE', 'IN'].find((word) => reader.isWord(word, ahead));
  if (test === undefined) return isNegated ? undefined : parseIsNull(reader, operand);
  for (let skipped = 0; skipped <= ahead; skipped++) reader.next();
  const { start } = operand.span;
  if (test === 'IN') return parseIn(reader, operand, isNegated);
  const first = parseExpression(reader, Power.comparison);
  if (test === 'LIKE') return { kind: 'like', operand, pattern: first, isNegated, span: reader.spanFrom(start) };
  reader.expectWord('AND', 'between the two bounds');
  const high = parseExpression(reader, Power.comparison);
  return { kind: 'between', operand, low: first, high, isNegated, span: reader.spanFrom(start) };
}

function parseIsNull(reader: TokenReader, operand: Expression): Expression | undefined {
  if (!reader.isWord('IS')) return undefined;
  reader.next();
  const isNegated = reader.takeWord('NOT');
  if (reader.isWord('TRUE') || reader.isWord('FALSE'))
    throw reader.expected('NULL', 'write the condition itself, or NOT');
  reader.expectWord('NULL', 'after IS');
  return { kind: 'isNull', operand, isNegated, span: reader.spanFrom(operand.span.start) };
}

function parseIn(reader: TokenReader, operand: Expression, isNegated: boolean): Expression {
  const { start } = operand.span;
  if (!reader.takeSymbol('(')) {
    const choices = parseExpression(reader, Power.comparison);
    return { kind: 'in', operand, choices, isNegated, span: reader.spanFrom(start) };
  }
  if (reader.isSymbol(')')) throw reader.expected('a value to compare with');
  if (reader.isWord('SELECT')) throw reader.fail('a SELECT cannot stand inside of IN', 'join with a Table instead');
  const choices = reader.list(')', 'the values of IN', () => parseExpression(reader));
  return { kind: 'in', operand, choices, isNegated, span: reader.spanFrom(start) };
}

function parseCase(reader: TokenReader): Expression {
  const { start } = reader.next();
  const subject = reader.isWord('WHEN') ? undefined : parseExpression(reader);
  const branches: CaseBranch[] = [];
  while (reader.takeWord('WHEN')) {
    const when = parseExpression(reader);
    reader.expectWord('THEN', 'after the condition of WHEN');
    branches.push({ when, result: parseExpression(reader) });
  }
  if (branches.length === 0) throw reader.expected('WHEN', 'write CASE WHEN condition THEN value END');
  const otherwise = reader.takeWord('ELSE') ? parseExpression(reader) : undefined;
  reader.expectWord('END', 'to close CASE');
  const parts = { ...(subject === undefined ? {} : { subject }), ...(otherwise === undefined ? {} : { otherwise }) };
  return { kind: 'case', ...parts, branches, span: reader.spanFrom(start) };
}

function parseCall(reader: TokenReader, name: string, start: number): Call {
  reader.expectSymbol('(', `after ${name}`);
  if (reader.isWord('DISTINCT')) throw reader.expected('an argument');
  const args = reader.takeSymbol(')')
    ? []
    : reader.list(')', `the arguments of ${name}`, () => parseArgument(reader, name));
  const filter = parseFilter(reader);
  const over = parseOver(reader);
  const extras = { ...(filter === undefined ? {} : { filter }), ...(over === undefined ? {} : { over }) };
  return { kind: 'call', name: name.toLowerCase(), args, ...extras, span: reader.spanFrom(start) };
}

function parseArgument(reader: TokenReader, name: string): Expression {
  const argument = parseExpression(reader);
  if (name.toLowerCase() === 'cast' && reader.isWord('AS')) {
    throw reader.expected('a comma', `write cast(value, "${reader.peek(1).text.toLowerCase() || 'type'}")`);
  }
  return argument;
}

export function parseFilter(reader: TokenReader): Expression | undefined {
  if (!reader.isWord('FILTER') || !reader.isSymbol('(', 1)) return undefined;
  reader.next();
  reader.next();
  reader.expectWord('WHERE', 'in FILTER');
  const filter = parseExpression(reader);
  reader.expectSymbol(')', 'to close FILTER');
  return filter;
}

export function parseOver(reader: TokenReader): Over | undefined {
  if (!reader.takeWord('OVER')) return undefined;
  reader.expectSymbol('(', 'after OVER');
  const partition: Expression[] = [];
  if (reader.takeWord('PARTITION')) {
    reader.expectWord('BY', 'after PARTITION');
    do partition.push(parseExpression(reader));
    while (reader.takeSymbol(','));
  }
  if (reader.isWord('ORDER'))
    throw reader.expected('PARTITION BY or WHEN', 'rows come in the order of their time; leave it out');
  const when = reader.takeWord('WHEN') ? parseExpression(reader) : undefined;
  if (partition.length === 0 && when === undefined) throw reader.expected('PARTITION BY or WHEN', 'leave OVER () out');
  reader.expectSymbol(')', 'to close OVER');
  return { partition, ...(when === undefined ? {} : { when }) };
}
