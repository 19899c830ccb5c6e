/** JSONPath as kubectl and printer columns use it: fields, indexes, slices, wildcards, unions of indexes, descent, and filters with one comparison. */
import { isObject, member } from './json.ts';

/** All values at the path, in document order. */
export type JsonPathReader = (value: unknown) => unknown[];

type Step =
  | { readonly kind: 'field'; readonly name: string }
  | { readonly kind: 'any' }
  | { readonly kind: 'descend' }
  | { readonly kind: 'indexes'; readonly indexes: readonly number[] }
  | { readonly kind: 'slice'; readonly from: number; readonly to: number | undefined; readonly by: number }
  | { readonly kind: 'filter'; readonly accepts: (item: unknown) => boolean };

/** Longer paths than any that a person writes. */
const MAX_PATH_LENGTH = 4096;
/** A descent visits no more values than this. */
const MAX_VISITED = 100_000;

/** A reader of the path, or undefined when it cannot be understood. Braces and `$` are optional: `{.spec.x}`, `$.spec.x`, `.spec.x`. */
export function compileJsonPath(path: string): JsonPathReader | undefined {
  if (path.length > MAX_PATH_LENGTH) return undefined;
  const steps = parseSteps(path);
  return steps === undefined ? undefined : (value) => steps.reduce(advance, [value]);
}

function parseSteps(path: string): Step[] | undefined {
  let rest = path.trim();
  if (rest.startsWith('{') && rest.endsWith('}')) rest = rest.slice(1, -1).trim();
  if (rest.startsWith('$') || rest.startsWith('@')) rest = rest.slice(1);
  const steps: Step[] = [];
  while (rest !== '') {
    const length = parseStep(rest, steps);
    if (length === 0) return undefined;
    rest = rest.slice(length);
  }
  return steps;
}

const FIELD = /^((?:[^\\.[\]{}()'"\s]|\\.)+)/;

/** Appends the steps at the head of the text; gives back how much of it they were, 0 when they make no sense. */
function parseStep(text: string, steps: Step[]): number {
  if (text.startsWith('[')) return parseBracket(text, steps);
  const isDescent = text.startsWith('..');
  if (isDescent) steps.push({ kind: 'descend' });
  const start = isDescent ? 2 : text.startsWith('.') ? 1 : 0;
  if (start > 0 && text.length === start) return isDescent ? 0 : start;
  if (text[start] === '*') {
    steps.push({ kind: 'any' });
    return start + 1;
  }
  if (text[start] === '[') return start;
  const name = FIELD.exec(text.slice(start))?.[1];
  if (name === undefined) return 0;
  steps.push({ kind: 'field', name: name.replaceAll(/\\(.)/g, '$1') });
  return start + name.length;
}

function parseBracket(text: string, steps: Step[]): number {
  const end = closingBracket(text);
  if (end < 0) return 0;
  const step = bracketStep(text.slice(1, end).trim());
  if (step === undefined) return 0;
  steps.push(step);
  return end + 1;
}

function bracketStep(body: string): Step | undefined {
  if (body === '*') return { kind: 'any' };
  const quoted = /^(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")$/.exec(body);
  if (quoted !== null) return { kind: 'field', name: (quoted[1] ?? quoted[2] ?? '').replaceAll(/\\(.)/g, '$1') };
  if (body.startsWith('?(') && body.endsWith(')')) return filterStep(body.slice(2, -1).trim());
  const slice = /^(-?\d*):(-?\d*)(?::(\d*))?$/.exec(body);
  if (slice !== null) {
    const [, from = '', to = '', by = ''] = slice;
    return { kind: 'slice', from: Number(from), to: to === '' ? undefined : Number(to), by: Math.max(1, Number(by)) };
  }
  return /^-?\d+(\s*,\s*-?\d+)*$/.test(body) ? { kind: 'indexes', indexes: body.split(',').map(Number) } : undefined;
}

/** The bracket that closes the first one; brackets in quotes and nested ones do not count. */
function closingBracket(text: string): number {
  let depth = 0;
  let quote = '';
  for (let index = 0; index < text.length; index++) {
    const character = text[index] ?? '';
    if (quote !== '') {
      if (character === '\\') index++;
      else if (character === quote) quote = '';
    } else if (character === "'" || character === '"') quote = character;
    else if (character === '[') depth++;
    else if (character === ']' && --depth === 0) return index;
  }
  return -1;
}

const COMPARISON = /^(.+?)\s*(==|!=|<=|>=|<|>)\s*(.+)$/;

function filterStep(expression: string): Step | undefined {
  const match = COMPARISON.exec(expression);
  if (match === null) {
    const read = compileJsonPath(expression);
    return read === undefined ? undefined : { kind: 'filter', accepts: (item) => read(item).length > 0 };
  }
  const [, left = '', operator = '', right = ''] = match;
  const readLeft = operand(left);
  const readRight = operand(right);
  if (readLeft === undefined || readRight === undefined) return undefined;
  return { kind: 'filter', accepts: (item) => compare(readLeft(item), operator, readRight(item)) };
}

function operand(text: string): ((item: unknown) => unknown) | undefined {
  const trimmed = text.trim();
  const quoted = /^(?:'(.*)'|"(.*)")$/s.exec(trimmed);
  if (quoted !== null) return () => quoted[1] ?? quoted[2] ?? '';
  if (/^-?\d+(\.\d+)?$/.test(trimmed)) return () => Number(trimmed);
  if (trimmed === 'true' || trimmed === 'false') return () => trimmed === 'true';
  const read = trimmed.startsWith('@') ? compileJsonPath(trimmed) : undefined;
  return read === undefined ? undefined : (item) => read(item)[0];
}

function compare(left: unknown, operator: string, right: unknown): boolean {
  if (operator === '==') return left === right;
  if (operator === '!=') return left !== right;
  const isComparable = typeof left === typeof right && (typeof left === 'number' || typeof left === 'string');
  if (!isComparable) return false;
  const [a, b] = [left as number, right as number];
  switch (operator) {
    case '<':
      return a < b;
    case '<=':
      return a <= b;
    case '>':
      return a > b;
    default:
      return a >= b;
  }
}

function advance(values: readonly unknown[], step: Step): unknown[] {
  switch (step.kind) {
    case 'field':
      return values.flatMap((value) =>
        isObject(value) && Object.hasOwn(value, step.name) ? [member(value, step.name)] : [],
      );
    case 'any':
      return values.flatMap(childrenOf);
    case 'descend':
      return descend(values);
    case 'indexes':
      return values.flatMap((value) => (Array.isArray(value) ? pick(value, step.indexes) : []));
    case 'slice':
      return values.flatMap((value) =>
        Array.isArray(value) ? value.slice(step.from, step.to).filter((_, index) => index % step.by === 0) : [],
      );
    case 'filter':
      return values.flatMap((value) => (Array.isArray(value) ? value.filter(step.accepts) : []));
  }
}

function pick(list: readonly unknown[], indexes: readonly number[]): unknown[] {
  return indexes.map((index) => list.at(index)).filter((item) => item !== undefined);
}

function childrenOf(value: unknown): unknown[] {
  if (Array.isArray(value)) return value;
  return isObject(value) ? Object.values(value) : [];
}

function descend(values: readonly unknown[]): unknown[] {
  const found: unknown[] = [];
  const pending = [...values].reverse();
  while (pending.length > 0 && found.length < MAX_VISITED) {
    const value = pending.pop();
    found.push(value);
    pending.push(...childrenOf(value).toReversed());
  }
  return found;
}
