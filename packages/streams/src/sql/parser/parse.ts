/** A statement, from its text. */
import type {
  AllItem,
  CommonTable,
  Expression,
  FieldItem,
  Join,
  JoinType,
  Name,
  OrderItem,
  SelectItem,
  SourceReference,
  Statement,
  Window,
} from '../ast.ts';
import { nearest } from '../nearest.ts';
import { foreignHint, foreignStatement } from './dialects.ts';
import { parseExpression } from './expressions.ts';
import { TokenReader } from './token-reader.ts';
import { isWindow, parseWindow } from './windows.ts';

/** Throws a SqlError that says where and what. */
export function parse(text: string): Statement {
  const reader = new TokenReader(text);
  const foreign = foreignStatement(reader);
  if (foreign !== undefined) throw reader.fail('a rule is a SELECT', foreign);
  const statement = parseStatement(reader, true);
  reader.takeSymbol(';');
  if (reader.token.kind !== 'end') throw unexpectedTail(reader);
  return statement;
}

function parseStatement(reader: TokenReader, mayHaveWith: boolean): Statement {
  const tables = mayHaveWith ? parseCommonTables(reader) : [];
  reader.expectWord('SELECT', 'at the beginning');
  const items = parseItems(reader);
  if (!reader.isWord('FROM')) throw missingFrom(reader);
  reader.next();
  const from = parseSource(reader);
  const joins = parseJoins(reader);
  const where = reader.takeWord('WHERE') ? parseExpression(reader) : undefined;
  const { groupBy, window } = parseGroupBy(reader);
  const having = reader.takeWord('HAVING') ? parseExpression(reader) : undefined;
  const orderBy = parseOrderBy(reader);
  const limit = reader.takeWord('LIMIT') ? reader.expectInteger('a number after LIMIT') : undefined;
  return {
    text: reader.text,
    with: tables,
    items,
    from,
    joins,
    ...(where === undefined ? {} : { where }),
    groupBy,
    ...(window === undefined ? {} : { window }),
    ...(having === undefined ? {} : { having }),
    orderBy,
    ...(limit === undefined ? {} : { limit }),
  };
}

function parseCommonTables(reader: TokenReader): CommonTable[] {
  const tables: CommonTable[] = [];
  if (!reader.takeWord('WITH')) return tables;
  do {
    const name = reader.expectName('a name after WITH');
    reader.expectWord('AS', 'after the name');
    reader.expectSymbol('(', 'before its SELECT');
    const query = reader.nested(() => parseStatement(reader, false));
    reader.expectSymbol(')', `to close ${name.text}`);
    tables.push({ name, query });
  } while (reader.takeSymbol(','));
  return tables;
}

function parseItems(reader: TokenReader): SelectItem[] {
  const items: SelectItem[] = [];
  const isForeign = foreignHint(reader) !== undefined && (reader.isName(1) || reader.peek(1).kind === 'integer');
  if (isForeign) throw reader.expected('a column');
  do {
    if (reader.isWord('FROM'))
      throw reader.expected('a column', items.length > 0 ? 'leave out the comma before FROM' : 'write *');
    items.push(parseItem(reader));
  } while (reader.takeSymbol(','));
  return items;
}

function parseItem(reader: TokenReader): SelectItem {
  if (reader.isSymbol('*')) return parseAll(reader);
  if (reader.isName() && reader.isSymbol('.', 1) && reader.isSymbol('*', 2)) return parseAll(reader);
  return parseField(reader);
}

function parseField(reader: TokenReader): FieldItem {
  const expression = parseExpression(reader);
  const alias = parseAlias(reader);
  const isInvisible = reader.takeWord('INVISIBLE');
  return { kind: 'field', expression, ...(alias === undefined ? {} : { alias }), isInvisible };
}

function parseAlias(reader: TokenReader): Name | undefined {
  return reader.takeWord('AS') ? reader.expectName('an alias after AS') : undefined;
}

function parseAll(reader: TokenReader): AllItem {
  const { start } = reader.token;
  const source = reader.isSymbol('*') ? undefined : reader.expectName('a source');
  if (source !== undefined) reader.expectSymbol('.', 'after the source');
  reader.expectSymbol('*', 'for all columns');
  let except: Name[] = [];
  let replace: { expression: Expression; alias: Name }[] = [];
  for (;;) {
    if (reader.takeWord('EXCEPT')) {
      reader.expectSymbol('(', 'after EXCEPT');
      except = reader.list(')', 'the columns of EXCEPT', () => reader.expectName('a column'));
    } else if (reader.takeWord('REPLACE')) {
      reader.expectSymbol('(', 'after REPLACE');
      replace = reader.list(')', 'the columns of REPLACE', () => parseReplacement(reader));
    } else break;
  }
  if (reader.isWord('AS')) throw reader.expected('a comma or FROM', 'name columns one by one to rename them');
  return { kind: 'all', ...(source === undefined ? {} : { source }), except, replace, span: reader.spanFrom(start) };
}

function parseReplacement(reader: TokenReader): { expression: Expression; alias: Name } {
  const expression = parseExpression(reader);
  reader.expectWord('AS', 'and the column that is replaced');
  return { expression, alias: reader.expectName('the column that is replaced') };
}

/** Names of objects have dashes; a dash with no blank around it belongs to the name here, where nothing is subtracted. */
function parseSource(reader: TokenReader): SourceReference {
  if (reader.isSymbol('(')) {
    throw reader.expected('the name of a stream', 'name the SELECT before with WITH name AS (SELECT …)');
  }
  const first = reader.expectName('the name of a stream');
  let { text } = first;
  while (reader.isSymbol('-') && isAdjacent(reader, 0) && isAdjacent(reader, 1)) {
    reader.next();
    text += `-${reader.next().text}`;
  }
  const name = { text, span: reader.spanFrom(first.span.start) };
  const alias = parseAlias(reader);
  if (alias === undefined && reader.isName() && foreignHint(reader) === undefined) {
    throw misspeltClause(reader, `write AS ${reader.token.text}`);
  }
  return { name, ...(alias === undefined ? {} : { alias }) };
}

function isAdjacent(reader: TokenReader, ahead: number): boolean {
  const token = reader.peek(ahead);
  const isPart = ahead === 0 || token.kind === 'word' || token.kind === 'integer';
  return isPart && token.start === (ahead === 0 ? reader.lastEnd : reader.peek(ahead - 1).end);
}

const JOIN_TYPES: readonly JoinType[] = ['inner', 'left', 'right', 'full', 'cross'];

function parseJoins(reader: TokenReader): Join[] {
  const joins: Join[] = [];
  for (;;) {
    const { start } = reader.token;
    const type = JOIN_TYPES.find((one) => reader.takeWord(one.toUpperCase()));
    if (type === undefined && !reader.isWord('JOIN')) {
      if (reader.isSymbol(',')) throw reader.expected('a clause', 'write INNER JOIN … ON … instead of the comma');
      return joins;
    }
    reader.expectWord('JOIN', 'after its kind');
    const source = parseSource(reader);
    const on = reader.takeWord('ON') ? parseExpression(reader) : undefined;
    joins.push(joinOf(reader, type ?? 'inner', source, on, start));
  }
}

function joinOf(
  reader: TokenReader,
  type: JoinType,
  source: SourceReference,
  on: Expression | undefined,
  start: number,
): Join {
  const span = reader.spanFrom(start);
  if (type === 'cross' && on !== undefined)
    throw reader.fail('a cross join has no condition', 'write INNER JOIN', on.span);
  if (type !== 'cross' && on === undefined)
    throw reader.expected('ON and the condition of the join', 'write ON a.x = b.x');
  return { type, source, ...(on === undefined ? {} : { on }), span };
}

function parseGroupBy(reader: TokenReader): { groupBy: Expression[]; window?: Window } {
  const groupBy: Expression[] = [];
  let window: Window | undefined;
  if (!reader.takeWord('GROUP')) return { groupBy };
  reader.expectWord('BY', 'after GROUP');
  do {
    if (!isWindow(reader)) {
      groupBy.push(parseExpression(reader));
      continue;
    }
    if (window !== undefined) throw reader.fail('a statement has one window', 'use WITH for a window of windows');
    window = parseWindow(reader);
  } while (reader.takeSymbol(','));
  return { groupBy, ...(window === undefined ? {} : { window }) };
}

function parseOrderBy(reader: TokenReader): OrderItem[] {
  const items: OrderItem[] = [];
  if (!reader.takeWord('ORDER')) return items;
  reader.expectWord('BY', 'after ORDER');
  do {
    const expression = parseExpression(reader);
    const isDescending = reader.takeWord('DESC');
    if (!isDescending) reader.takeWord('ASC');
    items.push({ expression, isDescending });
  } while (reader.takeSymbol(','));
  return items;
}

const CLAUSES = ['FROM', 'WHERE', 'GROUP', 'HAVING', 'ORDER', 'LIMIT', 'INNER', 'LEFT', 'JOIN'];
const AFTER_ITEM = ['FROM', 'AS'];

/** After SELECT's columns comes FROM: a comma is missing, an AS, a letter, or FROM itself. */
function missingFrom(reader: TokenReader): Error {
  const { token } = reader;
  const meant = token.kind === 'word' ? nearest(token.text, AFTER_ITEM) : undefined;
  if (meant !== undefined) return reader.expected('a comma or FROM', `did you mean ${meant}?`);
  if (reader.isName()) {
    return reader.expected('a comma or FROM', `write a comma before ${token.text}, or AS ${token.text} for an alias`);
  }
  if (token.kind === 'string') return reader.expected('a comma or FROM', 'write an alias without quotes, after AS');
  return reader.expected(
    'a comma or FROM',
    token.kind === 'end' ? 'say where the rows come from: FROM stream' : undefined,
  );
}

function misspeltClause(reader: TokenReader, otherwise: string): Error {
  const meant = nearest(reader.token.text, CLAUSES);
  return reader.expected('a clause', meant === undefined ? otherwise : `did you mean ${meant}?`);
}

const ORDER_OF_CLAUSES = 'clauses come in this order: FROM, JOIN, WHERE, GROUP BY, HAVING, ORDER BY, LIMIT';

function unexpectedTail(reader: TokenReader): Error {
  const { token } = reader;
  if (reader.isSymbol(')')) return reader.expected('the end of the statement', 'leave it out, or open it before');
  if (CLAUSES.includes(token.text.toUpperCase())) return reader.expected('the end of the statement', ORDER_OF_CLAUSES);
  if (token.kind === 'word') return misspeltClause(reader, 'end the statement here');
  return reader.expected('the end of the statement');
}
