/** What of the library a macro is given; its own types leave this out. */

export interface Checker {
  check(node: unknown, context: Context): Type;
  getType(name: string): Type;
  createError(code: string, message: string, node: unknown): Error;
}

export interface Type {
  readonly kind: string;
  readonly keyType?: Type;
  readonly valueType?: Type;
  isDynOrBool(): boolean;
}

export interface Evaluator {
  run(node: unknown, context: Context): unknown;
}

export interface Context {
  forkWithVariable(name: string, type: Type): Fork;
}

export interface Fork extends Context {
  reuse(parent: Context): Fork;
  setIterValue(value: unknown, evaluator: Evaluator): Fork;
}

export interface Call {
  readonly args: readonly { readonly op: string; readonly args: unknown }[];
  readonly receiver: unknown;
}

export function nameOf(checker: Checker, node: Call['args'][number] | undefined): string {
  if (node?.op === 'id' && typeof node.args === 'string') return node.args;
  throw checker.createError('invalid_macro_argument', 'argument must be a simple name', node);
}
