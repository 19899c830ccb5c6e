/** Failures of expressions in the words of CEL's reference implementation, which the API server passes on. */

interface Fault extends Error {
  readonly code: string;
  readonly summary: string;
  readonly range?: { readonly start: number; readonly end: number };
  readonly node?: { readonly op?: string; readonly args?: unknown };
}

/** What is wrong with an expression that does not compile, with the place. */
export function compileError(error: unknown, expression: string): string {
  if (!isFault(error)) return `ERROR: <input>:1:1: ${messageOf(error)}`;
  const { line, column, text } = placeOf(expression, startOf(error));
  return `ERROR: <input>:${line}:${column + 1}: ${compileText(error)}\n | ${text}\n | ${'.'.repeat(column)}^`;
}

/** What went wrong while an expression was evaluated. */
export function evaluationError(error: unknown): string {
  if (!isFault(error)) return messageOf(error);
  const text = error.summary;
  switch (error.code) {
    case 'no_such_key':
      return text.replace(/^No such key: /, 'no such key: ');
    case 'index_out_of_bounds':
      return `index out of bounds: ${/index (-?\d+)/.exec(text)?.[1] ?? ''}`;
    case 'numeric_overflow':
      return 'integer overflow';
    case 'modulo_by_zero':
      return 'modulus by zero';
    case 'unknown_variable':
      return `no such attribute(s): ${text.replace(/^Unknown variable: /, '')}`;
    case 'no_matching_overload':
    case 'no_such_overload':
    case 'invalid_logical_operand':
    case 'invalid_condition_type':
      return 'no such overload';
    default:
      return text;
  }
}

/** A read of a field is told by its dot. */
function startOf({ range, node }: Fault): number {
  const start = range?.start ?? 0;
  return node?.op === '.' ? Math.max(0, start - 1) : start;
}

function compileText({ code, name, summary, node }: Fault): string {
  if (name === 'ParseError') return `Syntax error: ${lowerFirst(summary)}`;
  switch (code) {
    case 'unknown_variable':
      return `undeclared reference to '${summary.replace(/^Unknown variable: /, '')}' (in container '')`;
    case 'no_such_key':
      return `undefined field '${summary.replace(/^No such key: /, '')}'`;
    case 'no_such_overload':
      return operatorText(summary, node?.op);
    case 'no_matching_overload':
      return callText(summary);
    case 'incompatible_ternary_branches':
      return summary.replace(
        /^.*got '(.*)' and '(.*)'$/,
        "found no matching overload for '_?_:_' applied to '(bool, $1, $2)'",
      );
    case 'invalid_logical_operand':
      return summary.replace(/^.*got '(.*)'$/, "expected type 'bool' but found '$1'");
    default:
      return lowerFirst(summary);
  }
}

/** `no such overload: int + string` */
function operatorText(summary: string, operator: string | undefined): string {
  const operands = summary.replace(/^no such overload: /, '');
  const sides = operator === undefined ? [operands] : operands.split(` ${operator} `);
  const symbol = (operator ?? '').replace(/^([!-])_$/, '$1_');
  const name = sides.length === 2 ? `_${operator}_` : symbol;
  return `found no matching overload for '${name}' applied to '(${sides.join(', ')})'`;
}

/** `found no matching overload for 'string.f(int)'` */
function callText(summary: string): string {
  const match = /^found no matching overload for '(?:(.*)\.)?(\w+)\((.*)\)'$/s.exec(summary);
  if (match === null) return summary;
  const [, receiver, name = '', args = ''] = match;
  const applied = receiver === undefined ? `(${args})` : `${receiver}.(${args})`;
  return `found no matching overload for '${name.replace(/^k8s_/, '')}' applied to '${applied}'`;
}

function placeOf(expression: string, at: number): { line: number; column: number; text: string } {
  const before = expression.slice(0, at).split('\n');
  const line = before.length;
  return { line, column: before.at(-1)?.length ?? 0, text: expression.split('\n')[line - 1] ?? '' };
}

function isFault(error: unknown): error is Fault {
  return error instanceof Error && 'summary' in error && 'code' in error;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function lowerFirst(text: string): string {
  return `${text.charAt(0).toLowerCase()}${text.slice(1)}`;
}
