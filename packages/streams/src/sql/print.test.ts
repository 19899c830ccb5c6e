import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type {
  BinaryOperator,
  Expression,
  JoinType,
  Name,
  Over,
  SelectItem,
  Span,
  Statement,
  TimeUnit,
  Window,
  WindowType,
} from './ast.ts';
import { parse } from './parser/parse.ts';
import { print } from './print.ts';

/** The statement without its places: as JSON, with bigints as text. */
function bare(statement: Statement): unknown {
  const text = JSON.stringify(statement, (key, value: unknown) => {
    if (key === 'text' && typeof value === 'string' && value.includes('SELECT')) return '';
    if (key === 'span') return NOWHERE;
    return typeof value === 'bigint' ? `${value}n` : value;
  });
  return JSON.parse(text);
}

/** Places do not matter to what is printed. */
const NOWHERE: Span = { start: 0, end: 0 };

const OPERATORS: readonly BinaryOperator[] = [
  'or',
  'and',
  '=',
  '!=',
  '<',
  '<=',
  '>',
  '>=',
  '|',
  '^',
  '&',
  '+',
  '-',
  '*',
  '/',
  '%',
];

const names = fc.oneof(
  fc.constantFrom('a', 'b', 'select', 'From', 'a-b', '中文', 'with`tick', 'ss', 'null', 'x1', '_'),
  fc.string({ minLength: 1, maxLength: 6 }),
);

const named: fc.Arbitrary<Name> = names.map((text) => ({ text, span: NOWHERE }));

const literals: fc.Arbitrary<Expression> = fc.oneof(
  fc.integer().map((value): Expression => ({ kind: 'literal', value: value + 0, type: 'bigint', span: NOWHERE })),
  fc.constant<Expression>({ kind: 'literal', value: 2n ** 60n, type: 'bigint', span: NOWHERE }),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(
    (value): Expression => ({
      kind: 'literal',
      value: Object.is(value, -0) ? 0 : value,
      type: 'float',
      span: NOWHERE,
    }),
  ),
  fc.string({ maxLength: 8 }).map((value): Expression => ({ kind: 'literal', value, type: 'string', span: NOWHERE })),
  fc.boolean().map((value): Expression => ({ kind: 'literal', value, type: 'boolean', span: NOWHERE })),
  fc.constant<Expression>({ kind: 'literal', value: null, type: 'null', span: NOWHERE }),
);

const expressions: fc.Arbitrary<Expression> = fc.letrec<{ any: Expression }>((tie) => {
  const any = tie('any');
  const maybe = fc.option(any, { nil: undefined });
  const over = fc
    .record({ partition: fc.array(any, { maxLength: 2 }), when: maybe })
    .filter(({ partition, when }) => partition.length > 0 || when !== undefined)
    .map(({ partition, when }): Over => ({ partition, ...(when === undefined ? {} : { when }) }));
  return {
    any: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      literals,
      names.map((name): Expression => ({ kind: 'name', name, span: NOWHERE })),
      fc
        .record({ operator: fc.constantFrom(...OPERATORS), left: any, right: any })
        .map((parts): Expression => ({ kind: 'binary', ...parts, span: NOWHERE })),
      any.map((operand): Expression => ({ kind: 'unary', operator: 'not', operand, span: NOWHERE })),
      any.map(negated),
      fc
        .record({ operand: any, low: any, high: any, isNegated: fc.boolean() })
        .map((parts): Expression => ({ kind: 'between', ...parts, span: NOWHERE })),
      fc
        .record({ operand: any, pattern: any, isNegated: fc.boolean() })
        .map((parts): Expression => ({ kind: 'like', ...parts, span: NOWHERE })),
      fc
        .record({ operand: any, choices: fc.array(any, { minLength: 1, maxLength: 3 }), isNegated: fc.boolean() })
        .map((parts): Expression => ({ kind: 'in', ...parts, span: NOWHERE })),
      fc
        .record({ operand: any, isNegated: fc.boolean() })
        .map((parts): Expression => ({ kind: 'isNull', ...parts, span: NOWHERE })),
      fc
        .record({
          subject: maybe,
          branches: fc.array(fc.record({ when: any, result: any }), { minLength: 1, maxLength: 2 }),
          otherwise: maybe,
        })
        .map(
          ({ subject, branches, otherwise }): Expression => ({
            kind: 'case',
            ...(subject === undefined ? {} : { subject }),
            branches,
            ...(otherwise === undefined ? {} : { otherwise }),
            span: NOWHERE,
          }),
        ),
      fc
        .record({
          name: fc.constantFrom('abs', 'lag', 'count', 'own_fn'),
          args: fc.array(fc.oneof(any, fc.constant<Expression>({ kind: 'star', span: NOWHERE })), { maxLength: 3 }),
          filter: maybe,
          over: fc.option(over, { nil: undefined }),
        })
        .map(
          ({ name, args, filter, over: window }): Expression => ({
            kind: 'call',
            name,
            args,
            ...(filter === undefined ? {} : { filter }),
            ...(window === undefined ? {} : { over: window }),
            span: NOWHERE,
          }),
        ),
      fc
        .record({ object: any, name: names, through: fc.constantFrom('.', '->') })
        .map((parts): Expression => ({ kind: 'member', ...parts, span: NOWHERE })),
      fc.record({ object: any, index: any }).map((parts): Expression => ({ kind: 'index', ...parts, span: NOWHERE })),
      fc.record({ object: any, from: maybe, to: maybe }).map(
        ({ object, from, to }): Expression => ({
          kind: 'slice',
          object,
          ...(from === undefined ? {} : { from }),
          ...(to === undefined ? {} : { to }),
          span: NOWHERE,
        }),
      ),
    ),
  };
}).any;

/** As the parser has it: a number with a sign is a literal. */
function negated(operand: Expression): Expression {
  const isNumber = operand.kind === 'literal' && typeof operand.value === 'number' && operand.value > 0;
  if (isNumber) return { ...operand, value: -(operand.value as number) };
  return { kind: 'unary', operator: '-', operand, span: NOWHERE };
}

const items: fc.Arbitrary<SelectItem> = fc.oneof(
  fc.record({ expression: expressions, alias: fc.option(named, { nil: undefined }), isInvisible: fc.boolean() }).map(
    ({ alias, ...rest }): SelectItem => ({
      kind: 'field',
      ...rest,
      ...(alias === undefined ? {} : { alias }),
    }),
  ),
  fc
    .record({
      source: fc.option(named, { nil: undefined }),
      except: fc.array(named, { maxLength: 2 }),
      replace: fc.array(fc.record({ expression: expressions, alias: named }), { maxLength: 2 }),
    })
    .map(
      ({ source, ...rest }): SelectItem => ({
        kind: 'all',
        ...(source === undefined ? {} : { source }),
        ...rest,
        span: NOWHERE,
      }),
    ),
);

const SHAPES: readonly (readonly [WindowType, number])[] = [
  ['tumbling', 1],
  ['hopping', 2],
  ['sliding', 2],
  ['session', 2],
  ['count', 2],
];
const UNITS: readonly TimeUnit[] = ['dd', 'hh', 'mi', 'ss', 'ms'];

const windows: fc.Arbitrary<Window> = fc.oneof(
  fc
    .record({
      shape: fc.constantFrom(...SHAPES),
      unit: fc.constantFrom(...UNITS),
      numbers: fc.tuple(fc.nat(), fc.nat()),
      filter: fc.option(expressions, { nil: undefined }),
    })
    .map(
      ({ shape: [type, count], unit, numbers, filter }): Window => ({
        type,
        ...(type === 'count' ? {} : { unit }),
        numbers: numbers.slice(0, count),
        conditions: [],
        ...(filter === undefined ? {} : { filter }),
        span: NOWHERE,
      }),
    ),
  fc
    .tuple(expressions, expressions)
    .map((conditions): Window => ({ type: 'state', numbers: [], conditions, span: NOWHERE })),
);

const sources = fc.record({ name: named, alias: fc.option(named, { nil: undefined }) }).map(({ name, alias }) => ({
  name,
  ...(alias === undefined ? {} : { alias }),
}));

const JOINS: readonly JoinType[] = ['inner', 'left', 'right', 'full'];

const statements: fc.Arbitrary<Statement> = fc
  .record({
    items: fc.array(items, { minLength: 1, maxLength: 3 }),
    from: sources,
    joins: fc.array(
      fc.record({ type: fc.constantFrom(...JOINS), source: sources, on: expressions, span: fc.constant(NOWHERE) }),
      { maxLength: 1 },
    ),
    where: fc.option(expressions, { nil: undefined }),
    groupBy: fc.array(expressions, { maxLength: 2 }),
    window: fc.option(windows, { nil: undefined }),
    having: fc.option(expressions, { nil: undefined }),
    orderBy: fc.array(fc.record({ expression: expressions, isDescending: fc.boolean() }), { maxLength: 2 }),
    limit: fc.option(fc.nat(), { nil: undefined }),
  })
  .map(
    ({ where, window, having, limit, ...rest }): Statement => ({
      text: '',
      with: [],
      ...rest,
      ...(where === undefined ? {} : { where }),
      ...(window === undefined ? {} : { window }),
      ...(having === undefined ? {} : { having }),
      ...(limit === undefined ? {} : { limit }),
    }),
  );

test('what is printed is parsed as the same statement', () => {
  fc.assert(
    fc.property(statements, (statement) => {
      const text = print(statement);
      assert.deepEqual(bare(parse(text)), bare(statement), text);
    }),
    { numRuns: 2000 },
  );
});

test('printing is settled: what was printed prints the same again', () => {
  fc.assert(
    fc.property(statements, (statement) => {
      const text = print(statement);
      assert.equal(print(parse(text)), text);
    }),
    { numRuns: 300 },
  );
});
