/** ON, taken apart: equalities that can be looked up by key, and the rest. */
import type { Expression, Join } from '../ast.ts';
import { type Bound, type BoundBinary, partsOf } from '../compile/bound.ts';
import { compile, compilePredicate } from '../compile/expression.ts';
import type { Evaluate, Predicate } from '../value.ts';
import type { Binder, Clause } from './binder.ts';
import { idOf } from './ids.ts';
import type { JoinNode, LookupNode, PlanNode, SourceNode } from './plan.ts';
import type { Source } from './sources.ts';
import { conjuncts } from './walk.ts';

const ON: Clause = { name: 'ON', level: 'row', prefersAliases: false, mayAggregate: false, mayAnalyse: false };

interface Condition {
  readonly keys: readonly { readonly left: Bound; readonly right: Bound }[];
  readonly rest: readonly Bound[];
}

export interface BoundJoin {
  readonly join: Join;
  readonly source: Source;
  readonly condition: Condition;
}

export function bindJoin(binder: Binder, join: Join, source: Source): BoundJoin {
  const parts = join.on === undefined ? [] : conjuncts(join.on).map((part) => bindPart(binder, part, source));
  const keys = parts.flatMap((bound) => keyOf(bound, source.index) ?? []);
  const rest = parts.filter((bound) => keyOf(bound, source.index) === undefined);
  if (source.relation.kind === 'table') checkLookup(binder, join, source, keys);
  return { join, source, condition: { keys, rest } };
}

function bindPart(binder: Binder, part: Expression, source: Source): Bound {
  const bound = binder.condition(part, ON);
  const later = sourcesOf(bound).find((index) => index > source.index);
  if (later === undefined) return bound;
  throw binder.error(
    part.span,
    `${binder.scope.sources[later]?.name} is joined only after ${source.name}`,
    'put the condition there',
  );
}

function sourcesOf(bound: Bound): number[] {
  return [...partsOf(bound)].flatMap((part) => (part.kind === 'column' || part.kind === 'meta' ? [part.source] : []));
}

function isOpen(bound: Bound): boolean {
  return [...partsOf(bound)].some(({ kind }) => kind === 'open' || kind === 'row');
}

/** An equality whose one side is of the new source only, and the other of those before. */
function keyOf(bound: Bound, right: number): { left: Bound; right: Bound } | undefined {
  if (bound.kind !== 'binary' || bound.operator !== '=' || isOpen(bound)) return undefined;
  return sided(bound.left, bound.right, right) ?? sided(bound.right, bound.left, right);
}

function sided(left: Bound, right: Bound, index: number): { left: Bound; right: Bound } | undefined {
  const [before, added] = [sourcesOf(left), sourcesOf(right)];
  const isKey = added.length > 0 && added.every((one) => one === index) && before.every((one) => one < index);
  return isKey ? { left, right } : undefined;
}

function checkLookup(binder: Binder, { type, span, on }: Join, { name }: Source, keys: Condition['keys']): void {
  if (type !== 'inner' && type !== 'left') {
    throw binder.error(
      span,
      `a ${type} join with the table ${name} would give rows that no row of the stream asks for`,
      'write INNER JOIN or LEFT JOIN',
    );
  }
  if (keys.some(({ right }) => right.kind === 'column')) return;
  throw binder.error(
    on?.span ?? span,
    `nothing says which rows of the table ${name} are wanted`,
    `add an equality with a column of ${name}`,
  );
}

export function lookupNode(
  { join, condition }: BoundJoin,
  input: PlanNode,
  table: SourceNode,
  binder: Binder,
): LookupNode {
  const options = { width: binder.scope.width };
  const byField = condition.keys.filter(({ right }) => right.kind === 'column');
  const others = condition.keys.filter(({ right }) => right.kind !== 'column').map(equality);
  const keys = byField.map(({ left, right }) => ({
    field: right.kind === 'column' ? right.name : '',
    value: compile(left, options),
  }));
  const rest = all([...others, ...condition.rest].map((one) => compilePredicate(one, options)));
  return {
    kind: 'lookup',
    id: idOf('lookup', input.id, table.id, join.type, textOf(binder, condition)),
    says: sayJoin(binder, join),
    input,
    type: join.type === 'left' ? 'left' : 'inner',
    table,
    keys,
    ...(rest === undefined ? {} : { rest }),
  };
}

function equality({ left, right }: { readonly left: Bound; readonly right: Bound }): BoundBinary {
  return {
    kind: 'binary',
    operator: '=',
    left,
    right,
    type: { kind: 'boolean' },
    says: `${left.says} = ${right.says}`,
  };
}

export function joinNode({ join, source, condition }: BoundJoin, input: PlanNode, binder: Binder): JoinNode {
  const options = { width: binder.scope.width };
  const rest = all(condition.rest.map((one) => compilePredicate(one, options)));
  const keys = condition.keys.map(({ left, right }): { left: Evaluate; right: Evaluate } => ({
    left: compile(left, options),
    right: compile(right, options),
  }));
  return {
    kind: 'join',
    id: idOf('join', input.id, source.index, join.type, textOf(binder, condition)),
    says: sayJoin(binder, join),
    input,
    type: join.type,
    right: source.index,
    keys,
    ...(rest === undefined ? {} : { rest }),
  };
}

function textOf({ drafts }: Binder, { keys, rest }: Condition): readonly unknown[] {
  const pairs = keys.map(({ left, right }) => [drafts.digest(left), drafts.digest(right)]);
  return [...pairs, ...rest.map((one) => drafts.digest(one))];
}

function sayJoin({ scope }: Binder, { span }: Join): string {
  return scope.text.slice(span.start, span.end).replaceAll(/\s+/g, ' ');
}

function all(predicates: readonly Predicate[]): Predicate | undefined {
  const [first, ...others] = predicates;
  if (first === undefined || others.length === 0) return first;
  return (input, context) => predicates.every((predicate) => predicate(input, context));
}
