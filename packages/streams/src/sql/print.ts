/** A statement as text: parsing it gives the same statement. What ids and explain speak. */
import type { AllItem, Call, Case, Expression, Over, SelectItem, SourceReference, Statement, Window } from './ast.ts';
import { isBareName } from './lexer.ts';
import { Power, powerOf } from './parser/expressions.ts';
import { isReserved } from './parser/keywords.ts';

export function print(statement: Statement): string {
  const { with: tables, items, from, joins, where, having, orderBy, limit } = statement;
  const common = tables.map(({ name, query }) => `${printName(name.text)} AS (${print(query)})`);
  const clauses = [
    common.length > 0 ? `WITH ${common.join(', ')}` : '',
    `SELECT ${printItems(items)}`,
    `FROM ${printSource(from)}`,
    ...joins.map(({ type, source, on }) => `${type.toUpperCase()} JOIN ${printSource(source)}${optional(' ON ', on)}`),
    optional('WHERE ', where),
    printGroupBy(statement),
    optional('HAVING ', having),
    orderBy.length > 0 ? `ORDER BY ${orderBy.map(printOrder).join(', ')}` : '',
    limit === undefined ? '' : `LIMIT ${limit}`,
  ];
  return clauses.filter((clause) => clause !== '').join(' ');
}

function printName(name: string): string {
  return isBareName(name) && !isReserved(name) ? name : `\`${name.replaceAll('`', '``')}\``;
}

/** With parentheses when it binds less than `power`. */
export function printExpression(expression: Expression, power = 0): string {
  const own = powerOfExpression(expression);
  const text = printBare(expression);
  return own < power ? `(${text})` : text;
}

/** Between the operators and what needs no parentheses anywhere. */
const POSTFIX = Power.negation + 1;
const ATOM = POSTFIX + 1;

function powerOfExpression(expression: Expression): number {
  switch (expression.kind) {
    case 'binary':
      return powerOf(expression.operator);
    case 'unary':
      return expression.operator === 'not' ? Power.not : Power.negation;
    case 'between':
    case 'like':
    case 'in':
    case 'isNull':
      return Power.comparison;
    case 'literal':
      return typeof expression.value === 'number' && expression.value < 0 ? Power.negation : ATOM;
    default:
      return ATOM;
  }
}

function printBare(expression: Expression): string {
  switch (expression.kind) {
    case 'literal':
      return printLiteral(expression.value, expression.type);
    case 'name':
      return printName(expression.name);
    case 'star':
      return '*';
    case 'unary':
      return printUnary(expression.operator, expression.operand);
    case 'binary': {
      const { operator, left, right } = expression;
      const power = powerOf(operator);
      const isComparison = power === Power.comparison;
      return `${printExpression(left, isComparison ? power + 1 : power)} ${operator.toUpperCase()} ${printExpression(right, power + 1)}`;
    }
    case 'between': {
      const { operand, low, high, isNegated } = expression;
      return `${tested(operand)}${isNegated ? ' NOT' : ''} BETWEEN ${tested(low)} AND ${tested(high)}`;
    }
    case 'like':
      return `${tested(expression.operand)}${expression.isNegated ? ' NOT' : ''} LIKE ${tested(expression.pattern)}`;
    case 'in':
      return `${tested(expression.operand)}${expression.isNegated ? ' NOT' : ''} IN ${printChoices(expression.choices)}`;
    case 'isNull':
      return `${tested(expression.operand)} IS ${expression.isNegated ? 'NOT ' : ''}NULL`;
    case 'case':
      return printCase(expression);
    case 'call':
      return printCall(expression);
    case 'member':
      return `${printExpression(expression.object, POSTFIX)}${expression.through}${printName(expression.name)}`;
    case 'index':
      return `${printExpression(expression.object, POSTFIX)}[${printExpression(expression.index)}]`;
    case 'slice':
      return `${printExpression(expression.object, POSTFIX)}[${optional('', expression.from)}:${optional('', expression.to)}]`;
  }
}

function tested(operand: Expression): string {
  return printExpression(operand, Power.comparison + 1);
}

/** A negated negation must not read as the beginning of a comment. */
function printUnary(operator: 'not' | '-', operand: Expression): string {
  if (operator === 'not') return `NOT ${printExpression(operand, Power.not)}`;
  const isNumber = operand.kind === 'literal' && typeof operand.value === 'number';
  return isNumber ? `-(${printExpression(operand)})` : `-${printExpression(operand, Power.negation + 1)}`;
}

function printLiteral(value: number | bigint | string | boolean | null, type: string): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (value === null || typeof value === 'boolean') return String(value).toUpperCase();
  const digits = String(value);
  return type === 'float' && /^-?\d+$/.test(digits) ? `${digits}.0` : digits;
}

function printChoices(choices: readonly Expression[] | Expression): string {
  if (!('kind' in choices)) return `(${choices.map((choice) => printExpression(choice)).join(', ')})`;
  return printExpression(choices, Power.comparison + 1);
}

function printCase({ subject, branches, otherwise }: Case): string {
  const arms = branches.map(({ when, result }) => ` WHEN ${printExpression(when)} THEN ${printExpression(result)}`);
  return `CASE${optional(' ', subject)}${arms.join('')}${optional(' ELSE ', otherwise)} END`;
}

function printCall({ name, args, filter, over }: Call): string {
  const list = args.map((arg) => printExpression(arg)).join(', ');
  return `${printName(name)}(${list})${printFilter(filter)}${printOver(over)}`;
}

function printFilter(filter: Expression | undefined): string {
  return filter === undefined ? '' : ` FILTER (WHERE ${printExpression(filter)})`;
}

function printOver(over: Over | undefined): string {
  if (over === undefined) return '';
  const { partition, when } = over;
  const by = partition.length > 0 ? `PARTITION BY ${partition.map((one) => printExpression(one)).join(', ')}` : '';
  const condition = optional('WHEN ', when);
  return ` OVER (${[by, condition].filter((part) => part !== '').join(' ')})`;
}

export function printWindow({ type, unit, numbers, conditions, filter, over }: Window): string {
  const args = [...(unit === undefined ? [] : [unit]), ...numbers, ...conditions.map((one) => printExpression(one))];
  return `${type.toUpperCase()}WINDOW(${args.join(', ')})${printFilter(filter)}${printOver(over)}`;
}

export function printItems(items: readonly SelectItem[]): string {
  return items.map(printItem).join(', ');
}

function printItem(item: SelectItem): string {
  if (item.kind === 'all') return printAll(item);
  const alias = item.alias === undefined ? '' : ` AS ${printName(item.alias.text)}`;
  return `${printExpression(item.expression)}${alias}${item.isInvisible ? ' INVISIBLE' : ''}`;
}

function printAll({ source, except, replace }: AllItem): string {
  const without = except.length === 0 ? '' : ` EXCEPT (${except.map(({ text }) => printName(text)).join(', ')})`;
  const changed = replace.map(({ expression, alias }) => `${printExpression(expression)} AS ${printName(alias.text)}`);
  const prefix = source === undefined ? '' : `${printName(source.text)}.`;
  return `${prefix}*${without}${changed.length === 0 ? '' : ` REPLACE (${changed.join(', ')})`}`;
}

function printSource({ name, alias }: SourceReference): string {
  return `${printName(name.text)}${alias === undefined ? '' : ` AS ${printName(alias.text)}`}`;
}

function printGroupBy({ groupBy, window }: Statement): string {
  const parts = [...groupBy.map((one) => printExpression(one)), ...(window === undefined ? [] : [printWindow(window)])];
  return parts.length === 0 ? '' : `GROUP BY ${parts.join(', ')}`;
}

function printOrder({ expression, isDescending }: { expression: Expression; isDescending: boolean }): string {
  return `${printExpression(expression)}${isDescending ? ' DESC' : ''}`;
}

function optional(before: string, expression: Expression | undefined): string {
  return expression === undefined ? '' : `${before}${printExpression(expression)}`;
}
