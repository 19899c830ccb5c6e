/** Calls of functions: arguments are read as their parameters want them, without an array for up to three. */
import type { UserFunction } from '../catalog.ts';
import type { Parameter, ScalarCall, ScalarFunction } from '../functions/specification.ts';
import { RowError } from '../sql-error.ts';
import type { EvalContext, Evaluate, Input, Value } from '../value.ts';
import { describe, isNull } from '../values.ts';

/** An argument that is NULL where the function gives NULL for it. */
const NOTHING = Symbol('NULL');

type Read = (input: Input, context: EvalContext) => unknown;
type Carry = (...args: unknown[]) => Value;

export function call({ name, parameters }: ScalarFunction, carryOut: ScalarCall, args: readonly Evaluate[]): Evaluate {
  const carry = carryOut as unknown as Carry;
  const reads = parameters.map((parameter, index) => argument(name, parameter, args, index));
  const [first, second, third] = reads;
  if (first === undefined) return (_, context) => carry(context);
  if (second === undefined) return (input, context) => unary(carry, first(input, context), context);
  if (third === undefined) {
    return (input, context) => {
      const a = first(input, context);
      const b = second(input, context);
      return a === NOTHING || b === NOTHING ? undefined : carry(a, b, context);
    };
  }
  return (input, context) => {
    const values = reads.map((read) => read(input, context));
    return values.includes(NOTHING) ? undefined : carry(...values, context);
  };
}

function unary(carry: Carry, a: unknown, context: EvalContext): Value {
  return a === NOTHING ? undefined : carry(a, context);
}

function argument(name: string, parameter: Parameter, args: readonly Evaluate[], index: number): Read {
  if (parameter.isRest) return restOf(name, parameter, args.slice(index));
  const evaluate = args[index];
  if (evaluate === undefined) return () => undefined;
  const absent = parameter.takesNull || parameter.isOptional ? undefined : NOTHING;
  return (input, context) => {
    const value = evaluate(input, context);
    return isNull(value) ? absent : read(name, parameter, value, context);
  };
}

function restOf(name: string, parameter: Parameter, args: readonly Evaluate[]): Read {
  return (input, context) => {
    const values: unknown[] = [];
    for (const evaluate of args) {
      const value = evaluate(input, context);
      if (!isNull(value)) values.push(read(name, parameter, value, context));
      else if (parameter.takesNull) values.push(undefined);
      else return NOTHING;
    }
    return values;
  };
}

function read(name: string, parameter: Parameter, value: NonNullable<Value>, context: EvalContext): unknown {
  const argument = parameter.read(value, context);
  if (argument !== undefined) return argument;
  throw new RowError(`${name}: ${parameter.name} is ${article(parameter.shows)}, found ${describe(value)}`);
}

function article(shows: string): string {
  return `${/^[aeiou]/.test(shows) ? 'an' : 'a'} ${shows}`;
}

/** What the user's own code throws is an error of the row. */
export function userCall(of: UserFunction, args: readonly Evaluate[], says: string): Evaluate {
  return (input, context) => {
    const values = args.map((evaluate) => evaluate(input, context));
    try {
      return of.call(values);
    } catch (cause) {
      throw new RowError(`${says}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    }
  };
}
