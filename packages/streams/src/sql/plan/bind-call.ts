/** Calls: which function, whether the arguments fit, and what kind of state it needs. */
import type { Call, Expression, Span } from '../ast.ts';
import type { Bound } from '../compile/bound.ts';
import { ANY, type DataType, showType } from '../data-type.ts';
import { FOREIGN_FUNCTIONS, FUNCTIONS, scalarFunction } from '../functions/index.ts';
import {
  type AggregateFunction,
  type AnalyticFunction,
  ArgumentProblem,
  type Parameter,
  type ScalarFunction,
  type SqlFunction,
} from '../functions/specification.ts';
import { nearest } from '../nearest.ts';
import { nearestWindow } from '../parser/windows.ts';
import { printExpression } from '../print.ts';
import type { SqlError } from '../sql-error.ts';
import type { Value } from '../value.ts';
import type { Binder, Clause } from './binder.ts';
import { nameOf } from './scope.ts';
import { isComparable } from './types.ts';

export function bindCall(binder: Binder, call: Call, clause: Clause): Bound {
  const found = FUNCTIONS.get(call.name);
  if (found === undefined) return bindUserCall(binder, call, clause);
  refuseStrayClauses(binder, call, found);
  if (found.kind !== 'special') checkCount(binder, call, found);
  refuseBareLiterals(binder, call, found);
  switch (found.kind) {
    case 'scalar':
      return bindScalar(binder, call, found, clause);
    case 'aggregate':
      return bindAggregate(binder, call, found, clause);
    case 'analytic':
      return bindAnalytic(binder, call, found, clause);
    case 'special':
      return bindSpecial(binder, call, clause);
  }
}

function bindUserCall(binder: Binder, call: Call, clause: Clause): Bound {
  const { scope } = binder;
  const user = scope.catalog.userFunction(call.name);
  if (user === undefined) throw unknownFunction(binder, call);
  if (call.args.length !== user.parameters.length) {
    throw binder.error(call.span, `${call.name} takes ${user.parameters.length} arguments, found ${call.args.length}`);
  }
  const args = call.args.map((arg, index) => {
    const bound = binder.bind(arg, clause);
    const wanted = user.parameters[index] ?? ANY;
    if (isComparable(bound.type, wanted) || bound.type.kind === wanted.kind) return bound;
    throw binder.error(arg.span, `${call.name} takes ${showType(wanted)} here, found ${showType(bound.type)}`);
  });
  return { kind: 'userCall', of: user, args, type: user.returns, says: printExpression(call) };
}

function unknownFunction(binder: Binder, { name, span }: Call): SqlError {
  const foreign = Object.hasOwn(FOREIGN_FUNCTIONS, name) ? FOREIGN_FUNCTIONS[name] : undefined;
  const problem = `there is no function ${name}`;
  const place = { start: span.start, end: span.start + name.length };
  if (foreign !== undefined) return binder.error(place, problem, `write ${foreign}`);
  const window = nearestWindow(name);
  if (window !== undefined) return binder.error(place, problem, `a window stands in GROUP BY, as ${window}`);
  const meant = nearest(name, [...FUNCTIONS.keys(), ...binder.scope.catalog.userFunctionNames()]);
  return binder.error(place, problem, meant === undefined ? undefined : `did you mean ${meant}?`);
}

function refuseStrayClauses(binder: Binder, { name, filter, over, span }: Call, { kind }: SqlFunction): void {
  if (filter !== undefined && kind !== 'aggregate')
    throw binder.error(span, `FILTER is for aggregates, ${name} is none`);
  if (over === undefined || kind === 'analytic') return;
  const accumulated = FUNCTIONS.has(`acc_${name}`) ? `acc_${name}` : undefined;
  const fix = accumulated === undefined ? 'leave OVER out' : `write ${accumulated}, or GROUP BY with a window`;
  throw binder.error(span, `OVER is for analytic functions, ${name} is none`, fix);
}

function checkCount(binder: Binder, call: Call, of: SqlFunction): void {
  const { parameters } = of;
  const least = parameters.filter(({ isOptional }) => !isOptional).length;
  const most = parameters.some(({ isRest }) => isRest) ? Number.POSITIVE_INFINITY : parameters.length;
  if (call.args.length >= least && call.args.length <= most) return;
  throw binder.error(call.span, `${call.name} does not take ${call.args.length} arguments`, `write ${usage(of)}`);
}

/** How a function is written: `lag(value, [offset], …)`. */
export function usage({ name, parameters }: SqlFunction): string {
  const shown = parameters.map((parameter) => {
    if (parameter.isRest) return `${parameter.name}, …`;
    return parameter.isOptional ? `[${parameter.name}]` : parameter.name;
  });
  return `${name}(${shown.join(', ')})`;
}

function parameterAt(parameters: readonly Parameter[], index: number): Parameter | undefined {
  return parameters[Math.min(index, parameters.length - 1)];
}

/** Checks what is known of an argument before rows come. */
function checkArgument(binder: Binder, call: Call, parameter: Parameter | undefined, bound: Bound, span: Span): Bound {
  if (parameter === undefined) return bound;
  if (parameter.isLiteral && bound.kind !== 'literal') {
    throw binder.error(span, `${parameter.name} of ${call.name} has to be a literal`);
  }
  if (parameter.accepts(bound.type)) return bound;
  const problem = `${parameter.name} of ${call.name} is of type ${parameter.shows}, found ${showType(bound.type)}`;
  throw binder.error(span, problem, castFix(parameter, bound.type));
}

function castFix({ shows }: Parameter, { kind }: DataType): string | undefined {
  const isText = kind === 'string';
  if ((shows === 'number' || shows === 'bigint') && isText)
    return `write cast(value, "${shows === 'number' ? 'float' : shows}")`;
  return shows === 'datetime' ? 'write cast(value, "datetime")' : undefined;
}

function literalsOf(args: readonly (Bound | undefined)[]): Value[] {
  return args.map((arg) => (arg?.kind === 'literal' ? arg.value : undefined));
}

/** A literal that lacks its quotes, as in cast(a, bigint). */
function refuseBareLiterals(binder: Binder, call: Call, of: SqlFunction): void {
  for (const [index, arg] of call.args.entries()) {
    const parameter = parameterAt(of.parameters, index);
    if (!parameter?.isLiteral || arg.kind !== 'name') continue;
    const fix = parameter.shows === 'string' ? `write "${arg.name}"` : undefined;
    throw binder.error(arg.span, `${parameter.name} of ${call.name} has to be a literal`, fix);
  }
}

function bindScalar(binder: Binder, call: Call, of: ScalarFunction, clause: Clause): Bound {
  noteHits(binder, call, clause);
  const args = call.args.map((arg, index) =>
    checkArgument(binder, call, parameterAt(of.parameters, index), binder.bind(arg, clause), arg.span),
  );
  const literals = literalsOf(args);
  const types = args.map(({ type }) => type);
  const carry = guarded(binder, call, () => of.prepare?.(literals, scalarFunction)) ?? of.call;
  return { kind: 'call', of, call: carry, args, type: of.returns(types, literals), says: printExpression(call) };
}

/** What a function finds wrong with its literals is said at their place. */
function guarded<Result>(binder: Binder, call: Call, run: () => Result): Result {
  try {
    return run();
  } catch (cause) {
    if (!(cause instanceof ArgumentProblem)) throw cause;
    throw binder.error(call.args[cause.index]?.span ?? call.span, cause.message, cause.fix);
  }
}

const HIT_FUNCTIONS: Readonly<Record<string, 'row' | 'group'>> = {
  last_hit_count: 'row',
  last_hit_time: 'row',
  last_agg_hit_count: 'group',
  last_agg_hit_time: 'group',
};

function noteHits(binder: Binder, { name, span }: Call, clause: Clause): void {
  const level = HIT_FUNCTIONS[name];
  if (level === undefined) return;
  const isGroup = binder.isWindowed && clause.name !== 'OVER (WHEN)';
  if ((level === 'group') !== isGroup) {
    const other = level === 'group' ? name.replace('agg_', '') : name.replace('last_', 'last_agg_');
    throw binder.error(
      span,
      `${name} is for rules ${level === 'group' ? 'with' : 'without'} a window`,
      `write ${other}`,
    );
  }
  const place =
    clause.name === 'WHERE'
      ? 'where'
      : clause.name === 'HAVING'
        ? 'having'
        : clause.name === 'OVER (WHEN)'
          ? 'trigger'
          : 'select';
  // A condition is what a hit is counted by; a column only shows the count.
  binder.hits = binder.hits === undefined || binder.hits === 'select' ? place : binder.hits;
}

function bindAggregate(binder: Binder, call: Call, of: AggregateFunction, clause: Clause): Bound {
  const { name, span } = call;
  if (!clause.mayAggregate) {
    const fix = clause.name === 'WHERE' ? 'put the condition into HAVING' : undefined;
    throw binder.error(span, `${name} is an aggregate, which cannot stand in ${clause.name}`, fix);
  }
  if (!binder.isWindowed) {
    const running = FUNCTIONS.has(`acc_${name}`) ? `, or write acc_${name} for all rows so far` : '';
    throw binder.error(
      span,
      `${name} is an aggregate and needs a window`,
      `add GROUP BY TUMBLINGWINDOW(ss, 10)${running}`,
    );
  }
  const inner: Clause = { ...clause, name: name, level: 'row', mayAggregate: false, mayAnalyse: binder.mayAnalyseRows };
  const args = call.args.map((arg, index) => bindAggregateArgument(binder, call, of, arg, index, inner));
  const literals = literalsOf(args);
  const [argument] = args;
  const isStar = call.args[0]?.kind === 'star';
  const type = argument?.type ?? { kind: 'any' };
  guarded(binder, call, () => of.create(literals, type));
  if (of.needsRow) binder.scope.markAllRead();
  const filter =
    call.filter &&
    withoutOutputs(binder, () => binder.condition(call.filter as Expression, { ...inner, name: 'FILTER' }));
  const result = of.returns([type], literals);
  const draft = binder.drafts.addAggregate({
    of,
    argument: isStar && name === 'count' ? undefined : argument,
    literals,
    filter,
    type,
    says: printExpression(call),
  });
  return { kind: 'slot', of: 'aggregates', slot: draft.slot, type: result, says: draft.says };
}

function bindAggregateArgument(
  binder: Binder,
  call: Call,
  of: AggregateFunction,
  arg: Expression,
  index: number,
  clause: Clause,
): Bound {
  if (arg.kind === 'star') {
    if (index > 0 || !of.takesStar) throw binder.error(arg.span, `${call.name} does not take *`, 'name a column');
    if (call.name === 'count') return { kind: 'literal', value: true, type: { kind: 'boolean' }, says: '*' };
    return binder.row(arg.span, clause);
  }
  const bound = withoutOutputs(binder, () => binder.bind(arg, clause));
  return checkArgument(binder, call, parameterAt(of.parameters, index), bound, arg.span);
}

/** Rows are aggregated before the columns of SELECT exist: an alias there is what it stands for. */
function withoutOutputs<Result>(binder: Binder, run: () => Result): Result {
  const { outputs } = binder;
  binder.outputs = undefined;
  const result = run();
  binder.outputs = outputs;
  return result;
}

function bindAnalytic(binder: Binder, call: Call, of: AnalyticFunction, clause: Clause): Bound {
  const { name, span } = call;
  if (!clause.mayAnalyse) {
    throw binder.error(
      span,
      `${name} is an analytic function, which cannot stand in ${clause.name}`,
      'put it into a common table expression (WITH)',
    );
  }
  if (of.givesColumns && clause.name !== 'SELECT') {
    throw binder.error(span, `${name} gives columns and stands in SELECT only`, 'use had_changed or changed_col');
  }
  const args = call.args.map((arg, index) => bindAnalyticArgument(binder, call, of, arg, index, clause));
  const partition = (call.over?.partition ?? []).map((by) => withoutOutputs(binder, () => binder.bind(by, clause)));
  const when =
    call.over?.when &&
    withoutOutputs(binder, () => binder.condition(call.over?.when as Expression, { ...clause, name: 'WHEN' }));
  const names = of.givesColumns
    ? call.args.map((arg) => (arg.kind === 'star' ? undefined : (nameOf(arg) ?? printExpression(arg))))
    : [];
  const literals = literalsOf(args);
  guarded(binder, call, () => of.check?.(literals));
  const type = of.returns(
    args.map((arg) => arg.type),
    literals,
  );
  const { level } = clause;
  const draft = binder.drafts.addAnalytic({
    of,
    level,
    args,
    names,
    partition,
    when,
    type,
    says: printExpression(call),
  });
  return { kind: 'slot', of: 'analytic', slot: draft.slot, type, says: draft.says };
}

function bindAnalyticArgument(
  binder: Binder,
  call: Call,
  of: AnalyticFunction,
  arg: Expression,
  index: number,
  clause: Clause,
): Bound {
  const parameter = parameterAt(of.parameters, index);
  if (arg.kind === 'star') {
    if (!parameter?.isRest || !of.takesStar)
      throw binder.error(arg.span, `${call.name} does not take *`, 'name a column');
    return binder.row(arg.span, clause);
  }
  const bound = withoutOutputs(binder, () => binder.bind(arg, clause));
  return checkArgument(binder, call, parameter, bound, arg.span);
}

function bindSpecial(binder: Binder, call: Call, clause: Clause): Bound {
  if (call.name === 'unnest') {
    throw binder.error(
      call.span,
      'unnest stands alone as a column of SELECT',
      'put it into a common table expression (WITH)',
    );
  }
  return bindMeta(binder, call, clause);
}

/** `meta(topic)`, `meta(source.topic)`, `meta(a.b)`, `meta(a->b)`, `meta(*)`. */
function bindMeta(binder: Binder, call: Call, clause: Clause): Bound {
  const { name, args, span } = call;
  const [key] = args;
  if (key === undefined || args.length !== 1)
    throw binder.error(span, `${name} takes one name`, `write ${name}(topic)`);
  if (clause.level === 'group') binder.readsGroupRow = true;
  binder.usesMeta = true;
  const path = key.kind === 'star' ? [] : pathOf(key);
  if (path === undefined)
    throw binder.error(key.span, `${name} takes a name, not an expression`, `write ${name}(topic)`);
  const source = path.length > 1 ? binder.scope.source(path[0] ?? '') : undefined;
  return {
    kind: 'meta',
    source: source?.index ?? 0,
    path: source === undefined ? path : path.slice(1),
    type: { kind: 'any' },
    says: printExpression(call),
  };
}

function pathOf(expression: Expression): readonly string[] | undefined {
  if (expression.kind === 'name') return [expression.name];
  if (expression.kind === 'literal' && typeof expression.value === 'string') return [expression.value];
  if (expression.kind !== 'member') return undefined;
  const path = pathOf(expression.object);
  return path === undefined ? undefined : [...path, expression.name];
}
