/** How a function is described: its arguments with their types, what it gives, and how it is carried out. */
import { ANY, type DataType } from '../data-type.ts';
import type { EvalContext, Saved, Value } from '../value.ts';

export type Family =
  | 'math'
  | 'string'
  | 'conversion'
  | 'hashing'
  | 'json'
  | 'array'
  | 'object'
  | 'time'
  | 'other'
  | 'aggregate'
  | 'analytic'
  | 'rows';

export interface Parameter<T = unknown> {
  readonly name: string;
  /** For people: `number`, `string`, `array` … */
  readonly shows: string;
  /** Whether a value of that type may be meant for it; `any` and `null` always may. */
  readonly accepts: (type: DataType) => boolean;
  /** The value as the function wants it; undefined when it is of another type. Never asked about NULL. */
  readonly read: (value: NonNullable<Value>, context: EvalContext) => T | undefined;
  /** NULL is a value like others for it; else NULL for any argument makes the result NULL. */
  readonly takesNull?: true;
  readonly isOptional?: true;
  /** Takes all further arguments, as one array. */
  readonly isRest?: true;
  /** Decided when the rule is planned, so it has to be a literal. */
  readonly isLiteral?: true;
}

/** A literal argument that cannot be. */
export class ArgumentProblem extends Error {
  readonly index: number;
  readonly fix: string | undefined;

  constructor(index: number, problem: string, fix?: string) {
    super(problem);
    this.index = index;
    this.fix = fix;
  }
}

interface FunctionBase {
  readonly name: string;
  readonly family: Family;
  readonly parameters: readonly Parameter[];
  readonly returns: (args: readonly DataType[], literals: readonly Value[]) => DataType;
  /** One sentence. */
  readonly summary: string;
}

/** Arguments as their parameters read them, then the context. */
export type ScalarCall = (...args: never[]) => Value;

export interface ScalarFunction extends FunctionBase {
  readonly kind: 'scalar';
  readonly call: ScalarCall;
  /** Given literal arguments (undefined where there is none), a call that has prepared itself for them. */
  readonly prepare?: (literals: readonly Value[], lookup: Lookup) => ScalarCall | undefined;
}

/** The function of a name, for functions that take the name of another. */
export type Lookup = (name: string) => ScalarFunction | undefined;

/** The state is an object that only its function looks into. */
export interface AggregateFunction extends FunctionBase {
  readonly kind: 'aggregate';
  /** Whether `*` may be its first argument; it then gets the whole row. */
  readonly takesStar: boolean;
  /** Rows whose first argument is NULL do not count. */
  readonly ignoresNull: boolean;
  /** Literal arguments beside the first are known here. */
  readonly create: (literals: readonly Value[], type: DataType) => object;
  readonly add: (state: never, value: Value, row: Value) => void;
  readonly merge: (state: never, later: never) => void;
  readonly result: (state: never) => Value;
  readonly save: (state: never) => Saved;
  readonly load: (saved: Saved, fresh: never) => object;
  /** It wants the whole row beside its argument. */
  readonly needsRow?: true;
}

/** With `isValid` false, WHEN was not fulfilled: the state stays, and the result is the one it stands for. */
export interface AnalyticFunction extends FunctionBase {
  readonly kind: 'analytic';
  /** Throws an ArgumentProblem for literals that cannot be. */
  readonly check?: (literals: readonly Value[]) => void;
  readonly takesStar: boolean;
  readonly create: () => object;
  readonly step: (state: never, isValid: boolean, args: readonly Value[]) => Value;
  readonly save: (state: never) => Saved;
  readonly load: (saved: Saved) => object;
  /** Its result is a set of columns, which stand beside the others. */
  readonly givesColumns?: true;
}

/** What the planner itself gives a meaning: it has no call. */
export interface SpecialFunction extends FunctionBase {
  readonly kind: 'special';
}

export type SqlFunction = ScalarFunction | AggregateFunction | AnalyticFunction | SpecialFunction;

type Argument<P> =
  P extends Parameter<infer T>
    ? P extends { readonly isRest: true }
      ? P extends { readonly takesNull: true }
        ? readonly (T | undefined)[]
        : readonly T[]
      : P extends { readonly isOptional: true } | { readonly takesNull: true }
        ? T | undefined
        : T
    : never;

type Arguments<P extends readonly unknown[]> = { readonly [Index in keyof P]: Argument<P[Index]> };

type Returns = DataType | FunctionBase['returns'];

export function scalar<const P extends readonly Parameter<unknown>[]>(
  family: Family,
  name: string,
  parameters: P,
  returns: Returns,
  summary: string,
  call: (...args: [...Arguments<P>, EvalContext]) => Value,
  { prepare }: Pick<ScalarFunction, 'prepare'> = {},
): ScalarFunction {
  return {
    kind: 'scalar',
    family,
    name,
    parameters,
    returns: returning(returns),
    summary,
    call: call as unknown as ScalarCall,
    ...(prepare === undefined ? {} : { prepare }),
  };
}

/** Checks a prepared call against its parameters. */
export function prepared<const P extends readonly Parameter<unknown>[]>(
  _parameters: P,
  call: (...args: [...Arguments<P>, EvalContext]) => Value,
): ScalarCall {
  return call as unknown as ScalarCall;
}

export function returning(returns: Returns): FunctionBase['returns'] {
  return typeof returns === 'function' ? returns : () => returns;
}

/** The type of the first argument. */
export const sameAsFirst: FunctionBase['returns'] = ([first]) => first ?? ANY;

/** Another name for the same. */
export function synonym(of: ScalarFunction, name: string): ScalarFunction {
  return { ...of, name, summary: `The same as ${of.name}.` };
}
