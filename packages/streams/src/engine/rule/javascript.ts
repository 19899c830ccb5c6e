/**
 * Functions of a rule in JavaScript: each in an interpreter of its own, which has no way to anything outside of it, a bound on its
 * memory, and a limit to the time of each call. The interpreter is loaded when a rule first has such a function.
 */
import type { QuickJSContext, QuickJSHandle, QuickJSRuntime, QuickJSWASMModule } from 'quickjs-emscripten-core';
import type { RuleFunction } from '../../kinds/rule.ts';
import { isTooDeep, MAX_JSON_DEPTH, RowError, type UserFunction, type Value } from '../../sql/index.ts';
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
const MAX_WORDS = 1000;
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

type Outcome = ReturnType<QuickJSContext['evalCode']>;

/** Of the interpreter, as they were before code of the rule could change them. */
interface OwnFunctions {
  readonly parse: QuickJSHandle;
  readonly stringify: QuickJSHandle;
  /** What was thrown, in words. */
  readonly tell: QuickJSHandle;
  readonly empty: QuickJSHandle;
}

const TELL = `((text, isError) => (thrown) => (isError(thrown) ? thrown.name + ': ' + thrown.message : text(thrown)))(
  String, (thrown) => thrown instanceof Error)`;
const INTERRUPTED = 'InternalError: interrupted';
const NO_ROOM_FOR_ARGUMENT = 'out of memory for its arguments';

class Sandbox {
  readonly #facts: RuleFunction;
  readonly #runtime: QuickJSRuntime;
  readonly #context: QuickJSContext;
  readonly #own: OwnFunctions;
  readonly #function: QuickJSHandle;
  readonly #monotonic: () => number;
  readonly #timeoutMs: number;
  readonly #maxBytes: number;
  /** What goes with the interpreter. */
  readonly #kept: QuickJSHandle[] = [];
  #deadline = Number.POSITIVE_INFINITY;

  constructor(module: QuickJSWASMModule, facts: RuleFunction, monotonic: () => number) {
    this.#facts = facts;
    this.#monotonic = monotonic;
    this.#timeoutMs = millisecondsOf(facts.timeout, DEFAULT_TIMEOUT_MS);
    this.#runtime = module.newRuntime();
    this.#maxBytes = facts.maxBytes ?? DEFAULT_BYTES;
    this.#runtime.setMemoryLimit(this.#maxBytes);
    this.#runtime.setMaxStackSize(STACK_BYTES);
    this.#runtime.setInterruptHandler(() => this.#monotonic() > this.#deadline);
    this.#context = this.#runtime.newContext();
    try {
      this.#own = this.#prepare();
      this.#function = this.#define();
    } catch (error) {
      this.close();
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

  /** An interpreter that has broken off cannot be put away; it goes with the memory of its module. */
  close(): void {
    try {
      for (const handle of this.#kept) handle.dispose();
      this.#context.dispose();
      this.#runtime.dispose();
    } catch {}
  }

  #prepare(): OwnFunctions {
    return {
      parse: this.#keep(this.#context.evalCode('JSON.parse')),
      stringify: this.#keep(this.#context.evalCode('JSON.stringify')),
      tell: this.#keep(this.#context.evalCode(TELL)),
      empty: this.#keep(this.#context.evalCode('""')),
    };
  }

  #define(): QuickJSHandle {
    const { name, names, parameters = [], javascript } = this.#facts;
    const own = names ?? LETTERS.slice(0, Math.max(parameters.length, 1));
    const made = this.#inTime(() =>
      this.#context.evalCode(`(function (${own.join(', ')}) {\n${javascript}\n})`, `${name}.js`),
    );
    if (made.error !== undefined) throw new FunctionProblem(`function ${name}: ${this.#failureOf(made.error)}`);
    return this.#keep(made);
  }

  #keep(made: Outcome): QuickJSHandle {
    if (made.error !== undefined) throw new FunctionProblem(`function ${this.#facts.name}: no memory for it`);
    this.#kept.push(made.value);
    return made.value;
  }

  #call(args: readonly Value[]): Value {
    const handles: QuickJSHandle[] = [];
    try {
      for (const arg of args) handles.push(this.#handleOf(arg));
      return this.#inTime(() => this.#run(this.#function, handles, (given) => this.#valueOf(given)));
    } finally {
      for (const handle of handles) handle.dispose();
    }
  }

  /** Whatever is read of what it gives, code of the rule may run again: only in time. */
  #run<T>(callee: QuickJSHandle, args: QuickJSHandle[], read: (given: QuickJSHandle) => T): T {
    const outcome = this.#context.callFunction(callee, this.#context.undefined, ...args);
    if (outcome.error !== undefined) throw this.#rowError(this.#failureOf(outcome.error));
    try {
      return read(outcome.value);
    } finally {
      outcome.value.dispose();
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
    if (typeof value === 'string') return this.#textHandle(value);
    if (typeof value === 'boolean') return value ? this.#context.true : this.#context.false;
    if (value === undefined || value === null) return this.#context.null;
    const text = this.#textHandle(this.#jsonOf(value));
    try {
      const made = this.#inTime(() => this.#context.callFunction(this.#own.parse, this.#context.undefined, text));
      if (made.error !== undefined) throw this.#rowError(this.#failureOf(made.error));
      return made.value;
    } finally {
      text.dispose();
    }
  }

  #jsonOf(value: Value): string {
    try {
      return JSON.stringify(plain(value)) ?? 'null';
    } catch (cause) {
      throw this.#rowError('an argument is too deep, or too long', { cause });
    }
  }

  #textHandle(text: string): QuickJSHandle {
    // Beyond this the interpreter has no room for it, however it counts.
    if (text.length > this.#maxBytes) throw this.#rowError(NO_ROOM_FOR_ARGUMENT);
    const handle = this.#context.newString(text);
    if (this.#context.typeof(handle) === 'string') return handle;
    handle.dispose();
    throw this.#rowError(NO_ROOM_FOR_ARGUMENT);
  }

  #valueOf(given: QuickJSHandle): Value {
    const type = this.#context.typeof(given);
    switch (type) {
      case 'string':
        return this.#textOf(given);
      case 'number':
        return this.#context.getNumber(given);
      case 'bigint':
        return this.#context.getBigInt(given);
      case 'boolean':
        return this.#context.eq(given, this.#context.true);
      case 'undefined':
        return undefined;
      case 'object':
        return this.#run(this.#own.stringify, [given], (text) => this.#parsed(text));
      default:
        throw this.#rowError(`gave a ${type}, which is no value of a row`);
    }
  }

  /** What has a toJSON may make nothing of itself. */
  #parsed(handle: QuickJSHandle): Value {
    if (this.#context.typeof(handle) !== 'string') return undefined;
    const text = this.#textOf(handle);
    if (isTooDeep(text)) throw this.#rowError(`gave more than ${MAX_JSON_DEPTH} levels of arrays and objects`);
    return JSON.parse(text) as Value;
  }

  /** Without memory for a copy of it, the interpreter gives no text at all. */
  #textOf(handle: QuickJSHandle): string {
    const text = this.#context.getString(handle);
    if (text === '' && !this.#context.eq(handle, this.#own.empty)) throw this.#rowError('out of memory for its result');
    return text;
  }

  /** In words; what was interrupted had no time left. */
  #failureOf(error: QuickJSHandle): string {
    const told = this.#inTime(() => this.#context.callFunction(this.#own.tell, this.#context.undefined, error));
    error.dispose();
    const handle = told.error ?? told.value;
    try {
      if (told.error !== undefined) return 'threw what cannot be told';
      const words = this.#context.getString(handle).slice(0, MAX_WORDS);
      return words === INTERRUPTED ? `took longer than ${this.#timeoutMs} ms` : words;
    } finally {
      handle.dispose();
    }
  }

  #rowError(why: string, options?: ErrorOptions): RowError {
    return new RowError(`${this.#facts.name}: ${why}`, options);
  }
}
