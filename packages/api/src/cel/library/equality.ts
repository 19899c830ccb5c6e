/** Whether two values are equal is the language's to say, with every type that was added to it. */
import type { Environment } from '@marcbachmann/cel-js';

export type Equality = (a: unknown, b: unknown) => boolean;

/** Copying an environment closes it, so it is asked for when the first values are compared. */
export function equalityOf(environment: Environment): Equality {
  let equal: ReturnType<Environment['parse']> | undefined;
  return (a, b) => {
    equal ??= environment.clone().registerVariable('a', 'dyn').registerVariable('b', 'dyn').parse('a == b');
    return equal({ a, b }) === true;
  };
}
