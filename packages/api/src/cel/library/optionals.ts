/** What optional values have beyond the library: `ofNonZeroValue`, `optMap`, `optFlatMap`. */
import { type Environment, Optional } from '@marcbachmann/cel-js';
import { addFunctions, CelFailure } from './functions.ts';
import type { Call, Checker, Context, Evaluator, Fork } from './macro.ts';
import { nameOf } from './macro.ts';

export function addOptionals(environment: Environment): void {
  addFunctions(environment, {
    'OptionalNamespace.ofNonZeroValue(A): optional<A>': (_: unknown, value: unknown) =>
      isZero(value) ? Optional.none() : Optional.of(value),
  });
  environment.registerFunction('optional.optMap(ast, ast): optional<dyn>', ({ args, receiver }: Call) =>
    mapped(args, receiver, (value) => Optional.of(value)),
  );
  environment.registerFunction('optional.optFlatMap(ast, ast): optional<dyn>', ({ args, receiver }: Call) =>
    mapped(args, receiver, (value) => (value instanceof Optional ? value : fail())),
  );
}

function mapped([variable, body]: Call['args'], receiver: unknown, wrap: (value: unknown) => unknown): object {
  let scope: Fork | undefined;
  return {
    receiver,
    parts: [body],
    async: false,
    typeCheck: (checker: Checker, _: unknown, context: Context) => {
      const over = checker.check(receiver, context);
      scope = context.forkWithVariable(nameOf(checker, variable), over.valueType ?? checker.getType('dyn'));
      checker.check(body, scope);
      return checker.getType('optional');
    },
    evaluate: (evaluator: Evaluator, _: unknown, context: Context) => {
      const value = evaluator.run(receiver, context);
      if (!(value instanceof Optional)) return fail();
      if (!value.hasValue() || scope === undefined) return Optional.none();
      return wrap(evaluator.run(body, scope.reuse(context).setIterValue(value.value(), evaluator)));
    },
  };
}

function isZero(value: unknown): boolean {
  if (value === null || value === false || value === 0 || value === 0n || value === '') return true;
  if (Array.isArray(value) || value instanceof Uint8Array) return value.length === 0;
  return typeof value === 'object' && !(value instanceof Date) && Object.keys(value ?? {}).length === 0;
}

function fail(): never {
  throw new CelFailure('no such overload');
}
