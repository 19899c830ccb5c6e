/** What of the library's syntax trees is touched here: names of calls before they are checked, the steps of evaluation after. */
import type { Meter } from './meter.ts';

type Step = (evaluator: unknown, node: unknown, context: unknown) => unknown;
type Handle = (...args: unknown[]) => unknown;

/** A node of the library's tree, as far as it is read here. */
interface Node {
  readonly op: string;
  args: unknown;
  readonly meta: { readonly evaluate: Step; readonly alternate?: Node; readonly macro?: Macro };
  evaluate: Step;
  handle?: Handle;
  /** Written by the checker on reads of fields. */
  readonly right?: unknown;
}

interface Macro {
  readonly evaluate: Step;
  typeCheck: (checker: Checker, macro: Macro, context: unknown) => unknown;
  readonly args?: readonly Node[];
}

interface Checker {
  check(node: Node | undefined, context: unknown): unknown;
}

/** Calls that the library answers otherwise than Kubernetes does: a regular expression that backtracks, positions in UTF-16. */
const RENAMED: ReadonlySet<string> = new Set(['matches', 'indexOf', 'lastIndexOf', 'substring', 'join']);

/** Under which name our own form of a call is registered. */
export function ownName(name: string): string {
  return `k8s_${name}`;
}

/** Lets calls lead to our own functions. Gives back the names that the expression reads. */
export function prepareTree(root: unknown): ReadonlySet<string> {
  const names = new Set<string>();
  for (const node of nodesOf(root)) {
    if (node.op === 'id' && typeof node.args === 'string') names.add(node.args);
    if (node.op !== 'rcall' && node.op !== 'call') continue;
    const args = node.args as unknown[];
    if (typeof args[0] === 'string' && RENAMED.has(args[0])) args[0] = ownName(args[0]);
  }
  return names;
}

/** The library takes any field within `has(…)`; one that the type does not have is a mistake there too. */
export function checkTestedFields(root: unknown): void {
  for (const { op, args, meta } of nodesOf(root)) {
    const { macro } = meta;
    if (op !== 'call' || macro === undefined || (args as unknown[])[0] !== 'has') continue;
    const { typeCheck } = macro;
    macro.typeCheck = (checker, self, context) => {
      const type = typeCheck(checker, self, context);
      checker.check(macro.args?.[0], context);
      return type;
    };
  }
}

/** Makes each step of a checked tree pay before it is taken. */
export function meterTree(root: unknown, meter: Meter): void {
  for (const node of nodesOf(root)) {
    const step = stepOf(node);
    node.evaluate = (evaluator, self, context) => {
      meter.spend(1);
      return step(evaluator, self, context);
    };
    const { handle } = node;
    if (handle !== undefined && WALKS_VALUES.has(node.op)) node.handle = paid(node, handle, meter);
  }
}

const WALKS_VALUES: ReadonlySet<string> = new Set(['call', 'rcall', '+', '==', '!=', 'in', '<', '<=', '>', '>=']);

/** The handles of calls take all arguments as one list, those of operators the two sides. */
function paid(node: Node, handle: Handle, meter: Meter): Handle {
  if (node.op === 'call' || node.op === 'rcall') {
    return (args, ...rest) => {
      meter.spendFor(...(args as unknown[]));
      if (isInTimeZone(node, args)) meter.spend(TIME_ZONE_COST);
      return handle(args, ...rest);
    };
  }
  return (left, right, ...rest) => {
    meter.spendFor(left, right);
    return handle(left, right, ...rest);
  };
}

/** The calendar of a time zone takes tens of microseconds to ask. */
const TIME_ZONE_COST = 200;

/** `when.getHours('Europe/Berlin')` */
function isInTimeZone({ args }: Node, given: unknown): boolean {
  const [name] = args as readonly unknown[];
  return (
    typeof name === 'string' &&
    /^get[A-Z]/.test(name) &&
    Array.isArray(given) &&
    given[0] instanceof Date &&
    given.length === 2
  );
}

function stepOf(node: Node): Step {
  const { alternate, macro, evaluate } = node.meta;
  if (alternate !== undefined) return (evaluator, _, context) => alternate.evaluate(evaluator, alternate, context);
  if (macro !== undefined) return (evaluator, _, context) => macro.evaluate(evaluator, macro, context);
  return evaluate;
}

/** Every node once, those that macros made included. */
function nodesOf(root: unknown): Set<Node> {
  const found = new Set<Node>();
  const pending: unknown[] = [root];
  while (pending.length > 0) {
    const value = pending.pop();
    if (Array.isArray(value)) pending.push(...value);
    else if (isNode(value)) {
      if (found.has(value)) continue;
      found.add(value);
      pending.push(value.args, value.meta.alternate);
      if (value.meta.macro !== undefined) pending.push(...Object.values(value.meta.macro));
    } else if (isParts(value)) pending.push(...Object.values(value));
  }
  return found;
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'op' in value && 'meta' in value;
}

/** The parts of a comprehension stand in a plain object. */
function isParts(value: unknown): value is object {
  return typeof value === 'object' && value !== null && 'iterVarName' in value;
}
