/** How functions of our own are given to the language. */
import type { Environment } from '@marcbachmann/cel-js';

/** What the language passes depends on the signature it stands beside, and the language checks it. */
type Handler = (...values: never[]) => unknown;

export type Functions = Readonly<Record<string, Handler>>;

/** `'string.find(string): string': (text, pattern) => …` */
export function addFunctions(environment: Environment, functions: Functions): void {
  // Said to be at once: what may be a promise is evaluated by a slower way.
  for (const [signature, handler] of Object.entries(functions))
    environment.registerFunction(signature, handler as (...values: unknown[]) => unknown, { async: false });
}

/** A failure of a function at work, in the words of CEL. */
export class CelFailure extends Error {}
