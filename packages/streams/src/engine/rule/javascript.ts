/**
 * Functions of a rule in JavaScript: each in an interpreter of its own, which has no way to anything outside of it, a bound on its
 * memory, and a limit to the time of each call. The interpreter is loaded when a rule first has such a function.
 */
import type { QuickJSContext, QuickJSHandle, QuickJSRuntime, QuickJSWASMModule } from 'quickjs-emscripten-core';
import type { RuleFunction } from '../../kinds/rule.ts';
import { RowError, type UserFunction, type Value } from '../../sql/index.ts';
import { dataTypeOf } from './catalog.ts';
import { millisecondsOf } from './prepare.ts';
import { plain } from './run-test.ts';

export interface OpenFunctions {
  readonly functions: readonly UserFunction[];
  close(): void;
}

/** A function that cannot be made: its text is no JavaScript. */
export class FunctionProblem extends Error {
  override readonly name = 'FunctionProblem';
}

const DEFAULT_TIMEOUT_MS = 50;
const DEFAULT_BYTES = 8 * 1024 * 1024;
const STACK_BYTES = 256 * 1024;
const LETTERS = Array.from('abcdefghijklmnop');

/** Rejects with a FunctionProblem. `monotonic` is what time limits are measured by. */
export async function openFunctions(
  functions: readonly RuleFunction[],
  monotonic: () => number,
): Promise<OpenFunctions> {
  if (functions.length === 0) return { functions: [], close: () => {} };
  const module = await loadQuickJs();
  const opened: Sandbox[] = [];
  const close = () => {
    for (const each of opened) each.close();
  };
  try {
    for (const each of functions) opened.push(new Sandbox(module, each, monotonic));
  } catch (error) {
    close();
    throw error;
  }
  return { functions: opened.map((each) => each.asFunction()), close };
}

async function loadQuickJs(): Promise<QuickJSWASMModule> {
  const { newQuickJSWASMModuleFromVariant } = await import('quickjs-emscripten-core');
  return newQuickJSWASMModuleFromVariant(import('@jitl/quickjs-singlefile-cjs-release-sync'));
}

class Sandbox {
  readonly #facts: RuleFunction;
  readonly #runtime: QuickJSRuntime;
  readonly #context: QuickJSContext;
  readonly #function: QuickJSHandle;
  readonly #monotonic: () => number;
  readonly #timeoutMs: number;
  #deadline = Number.POSITIVE_INFINITY;

  constructor(module: QuickJSWASMModule, facts: RuleFunction, monotonic: () => number) {
    this.#facts = facts;
    this.#monotonic = monotonic;
    this.#timeoutMs = millisecondsOf(facts.timeout, DEFAULT_TIMEOUT_MS);
    this.#runtime = module.newRuntime();
    this.#runtime.setMemoryLimit(facts.maxBytes ?? DEFAULT_BYTES);
    this.#runtime.setMaxStackSize(STACK_BYTES);
    this.#runtime.setInterruptHandler(() => this.#monotonic() > this.#deadline);
    this.#context = this.#runtime.newContext();
    try {
      this.#function = this.#define();
    } catch (error) {
      this.#context.dispose();
      this.#runtime.dispose();
      throw error;
    }
  }

  asFunction(): UserFunction {
    const { name, parameters = [], returns = 'Any' } = this.#facts;
    return {
      name,
      parameters: parameters.map((type) => dataTypeOf(type)),
      returns: dataTypeOf(returns),
      call: (args) => this.#call(args),
    };
  }

  close(): void {
    this.#function.dispose();
    this.#context.dispose();
    this.#runtime.dispose();
  }

  #define(): QuickJSHandle {
    const { name, names, parameters = [], javascript } = this.#facts;
    const own = names ?? LETTERS.slice(0, Math.max(parameters.length, 1));
    const made = this.#inTime(() =>
      this.#context.evalCode(`(function (${own.join(', ')}) {\n${javascript}\n})`, `${name}.js`),
    );
    if (made.error !== undefined) throw new FunctionProblem(`function ${name}: ${this.#failureOf(made.error)}`);
    return made.value;
  }

  #call(args: readonly Value[]): Value {
    const handles = args.map((arg) => this.#handleOf(arg));
    try {
      const outcome = this.#inTime(() =>
        this.#context.callFunction(this.#function, this.#context.undefined, ...handles),
      );
      if (outcome.error !== undefined) throw new RowError(`${this.#facts.name}: ${this.#failureOf(outcome.error)}`);
      const value = this.#context.dump(outcome.value) as Value;
      outcome.value.dispose();
      return value;
    } finally {
      for (const handle of handles) handle.dispose();
    }
  }

  #inTime<T>(work: () => T): T {
    this.#deadline = this.#monotonic() + this.#timeoutMs;
    try {
      return work();
    } finally {
      this.#deadline = Number.POSITIVE_INFINITY;
    }
  }

  #handleOf(value: Value): QuickJSHandle {
    if (typeof value === 'number') return this.#context.newNumber(value);
    if (typeof value === 'string') return this.#context.newString(value);
    if (typeof value === 'boolean') return value ? this.#context.true : this.#context.false;
    if (value === undefined || value === null) return this.#context.null;
    const made = this.#context.evalCode(`(${JSON.stringify(plain(value)) ?? 'null'})`);
    if (made.error !== undefined) throw new RowError(`${this.#facts.name}: ${this.#failureOf(made.error)}`);
    return made.value;
  }

  /** In words; what was interrupted had no time left. */
  #failureOf(error: QuickJSHandle): string {
    const dumped = this.#context.dump(error) as { readonly name?: string; readonly message?: string } | string;
    error.dispose();
    if (typeof dumped === 'string') return dumped;
    const { name = 'Error', message = '' } = dumped;
    if (message === 'interrupted') return `took longer than ${this.#timeoutMs} ms`;
    return `${name}: ${message}`;
  }
}
