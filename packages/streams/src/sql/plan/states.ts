/** Drafts of analytic and aggregate calls, compiled. */

import { wholeRow } from '../compile/access.ts';
import type { Bound } from '../compile/bound.ts';
import { type CompileOptions, compile, compilePredicate } from '../compile/expression.ts';
import type { AggregateFunction, AnalyticFunction } from '../functions/specification.ts';
import type { EvalContext, Evaluate, Input, Predicate, Saved, Value } from '../value.ts';
import { isNull, keyOf } from '../values.ts';
import type { AggregateDraft, AnalyticDraft } from './drafts.ts';
import type { AggregateCall, AnalyticCall } from './plan.ts';

type Key = (input: Input, context: EvalContext) => string;

/** One string for the values of all expressions; undefined without any. */
export function keyReader(expressions: readonly Bound[], options: CompileOptions): Key | undefined {
  const [only, ...others] = expressions.map((one) => compile(one, options));
  if (only === undefined) return undefined;
  if (others.length === 0) return (input, context) => keyOf(only(input, context));
  const all = [only, ...others];
  return (input, context) => JSON.stringify(all.map((evaluate) => keyOf(evaluate(input, context))));
}

interface AnalyticShape {
  readonly create: () => object;
  readonly step: (state: object, isValid: boolean, args: readonly Value[]) => Value;
  readonly save: (state: object) => Saved;
  readonly load: (saved: Saved) => object;
}

export function analyticCall(draft: AnalyticDraft, id: string, options: CompileOptions): AnalyticCall {
  const { create, step, save, load } = draft.of as AnalyticFunction as unknown as AnalyticShape;
  const partition = keyReader(draft.partition, options);
  const when = draft.when && compilePredicate(draft.when, options);
  const readArgs = draft.of.givesColumns ? columnsReader(draft, options) : argumentsReader(draft, options);
  return {
    id,
    slot: draft.slot,
    says: draft.says,
    ...(partition === undefined ? {} : { partition }),
    create,
    step: (state, input, context) => {
      const isValid = when === undefined || when(input, context);
      return step(state, isValid, readArgs(input, context));
    },
    save,
    load,
  };
}

type ReadArguments = (input: Input, context: EvalContext) => readonly Value[];

function argumentsReader({ args }: AnalyticDraft, options: CompileOptions): ReadArguments {
  const evaluates = args.map((arg) => compile(arg, options));
  return (input, context) => evaluates.map((evaluate) => evaluate(input, context));
}

/** Prefix and flag as they are, then all columns as one struct. */
function columnsReader({ args, names }: AnalyticDraft, options: CompileOptions): ReadArguments {
  const [prefix, ignoresNull, ...columns] = args.map((arg) => compile(arg, options));
  const columnNames = names.slice(2);
  return (input, context) => {
    const entries = columns.flatMap((evaluate, index): readonly [string, Value][] => {
      const name = columnNames[index];
      const value = evaluate(input, context);
      return name === undefined ? Object.entries(value as object) : [[name, value]];
    });
    return [prefix?.(input, context), ignoresNull?.(input, context), Object.fromEntries(entries)];
  };
}

interface AggregateShape {
  readonly create: (literals: readonly Value[], type: object) => object;
  readonly add: (state: object, value: Value, row: Value) => void;
  readonly merge: (state: object, later: object) => void;
  readonly result: (state: object) => Value;
  readonly save: (state: object) => Saved;
  readonly load: (saved: Saved, fresh: object) => object;
}

export function aggregateCall(draft: AggregateDraft, id: string, options: CompileOptions): AggregateCall {
  const { merge, result, save, load, create } = draft.of as AggregateFunction as unknown as AggregateShape;
  const fresh = () => create(draft.literals, draft.type);
  return {
    id,
    slot: draft.slot,
    says: draft.says,
    create: fresh,
    add: adder(draft, options),
    merge,
    result,
    save,
    load: (saved) => load(saved, fresh()),
  };
}

type Add = AggregateCall['add'];

function adder(draft: AggregateDraft, options: CompileOptions): Add {
  const { add } = draft.of as AggregateFunction as unknown as AggregateShape;
  const value = draft.argument === undefined ? undefined : compile(draft.argument, options);
  const unfiltered = addAll(draft, add, value, options);
  if (draft.filter === undefined) return unfiltered;
  const passes: Predicate = compilePredicate(draft.filter, options);
  return (state, input, context) => {
    if (passes(input, context)) unfiltered(state, input, context);
  };
}

function addAll(
  { of }: AggregateDraft,
  add: AggregateShape['add'],
  value: Evaluate | undefined,
  { width }: CompileOptions,
): Add {
  if (value === undefined) return (state) => add(state, true, undefined);
  if (of.needsRow) {
    const rowOf = wholeRow(width);
    return (state, input, context) => add(state, value(input, context), rowOf(input));
  }
  if (!of.ignoresNull) return (state, input, context) => add(state, value(input, context), undefined);
  return (state, input, context) => {
    const current = value(input, context);
    if (!isNull(current)) add(state, current, undefined);
  };
}
