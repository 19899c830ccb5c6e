/**
 * Matches patterns of custom schemas in time linear in the text (Thompson's construction, simulated as Pike does).
 * Their author is not the server's: an engine that backtracks could be held for minutes by a pattern such as `(a+)+$`.
 */
import { type CharClass, isWordChar } from './char-class.ts';
import { type Node, parsePattern } from './syntax.ts';

type Instruction =
  | { readonly op: 'char'; readonly accepts: CharClass }
  | { readonly op: 'assert'; readonly at: (Node & { readonly type: 'assert' })['at'] }
  | { readonly op: 'split'; first: number; second: number }
  | { readonly op: 'jump'; to: number }
  | { readonly op: 'match' };

export type Pattern = readonly Instruction[];

/** Counted repetitions unfold; a larger program is refused, as Go refuses it. */
const MAX_INSTRUCTIONS = 5000;
const MAX_PATTERN_LENGTH = 4096;

/** Characters times instructions: a fraction of a second. */
const MAX_WORK = 10_000_000;

const MAX_COMPILED = 500;
const compiled = new Map<string, Pattern | undefined>();

/** Undefined for what Go's dialect does not have, or what is too large. */
export function compilePattern(pattern: string): Pattern | undefined {
  if (compiled.has(pattern)) return compiled.get(pattern);
  if (compiled.size >= MAX_COMPILED) compiled.clear();
  const program = pattern.length > MAX_PATTERN_LENGTH ? undefined : build(pattern);
  compiled.set(pattern, program);
  return program;
}

/** Whether the pattern occurs anywhere in the text; false when telling would take too long. */
export function matchesPattern(program: Pattern, text: string): boolean {
  if (text.length * program.length > MAX_WORK) return false;
  const chars = Array.from(text);
  let threads = new Threads(program.length);
  let next = new Threads(program.length);
  for (let at = 0; at <= chars.length; at++) {
    if (follow(program, threads, 0, { chars, at })) return true;
    const char = chars[at];
    if (char === undefined) return false;
    for (const index of threads.list()) {
      const instruction = program[index];
      if (instruction?.op !== 'char' || !instruction.accepts(char)) continue;
      if (follow(program, next, index + 1, { chars, at: at + 1 })) return true;
    }
    [threads, next] = [next, threads];
    next.clear();
  }
  return false;
}

/** A set of instructions that keeps the order of arrival and empties at once. */
class Threads {
  readonly #dense: Uint16Array;
  readonly #sparse: Uint16Array;
  #size = 0;

  constructor(capacity: number) {
    this.#dense = new Uint16Array(capacity);
    this.#sparse = new Uint16Array(capacity);
  }

  /** False when it was there already. */
  add(index: number): boolean {
    const slot = this.#sparse[index] ?? 0;
    if (slot < this.#size && this.#dense[slot] === index) return false;
    this.#dense[this.#size] = index;
    this.#sparse[index] = this.#size++;
    return true;
  }

  list(): Uint16Array {
    return this.#dense.subarray(0, this.#size);
  }

  clear(): void {
    this.#size = 0;
  }
}

interface Position {
  readonly chars: readonly string[];
  readonly at: number;
}

/** Adds what can be reached from `start` without reading; true when that is the match. */
function follow(program: Pattern, threads: Threads, start: number, position: Position): boolean {
  const pending = [start];
  for (let index = pending.pop(); index !== undefined; index = pending.pop()) {
    if (!threads.add(index)) continue;
    const instruction = program[index];
    if (instruction === undefined || instruction.op === 'char') continue;
    if (instruction.op === 'match') return true;
    if (instruction.op === 'jump') pending.push(instruction.to);
    else if (instruction.op === 'split') pending.push(instruction.second, instruction.first);
    else if (holds(instruction.at, position)) pending.push(index + 1);
  }
  return false;
}

function holds(assertion: (Node & { readonly type: 'assert' })['at'], { chars, at }: Position): boolean {
  const before = chars[at - 1];
  const after = chars[at];
  switch (assertion) {
    case 'start':
      return before === undefined;
    case 'end':
      return after === undefined;
    case 'line-start':
      return before === undefined || before === '\n';
    case 'line-end':
      return after === undefined || after === '\n';
    case 'word':
      return isWordBoundary(before, after);
    case 'not-word':
      return !isWordBoundary(before, after);
  }
}

function isWordBoundary(before: string | undefined, after: string | undefined): boolean {
  return (before !== undefined && isWordChar(before)) !== (after !== undefined && isWordChar(after));
}

function build(pattern: string): Pattern | undefined {
  const tree = parsePattern(pattern);
  if (tree === undefined) return undefined;
  const program: Instruction[] = [];
  emit(tree, program);
  program.push({ op: 'match' });
  return program.length > MAX_INSTRUCTIONS ? undefined : program;
}

function emit(node: Node, program: Instruction[]): void {
  if (program.length > MAX_INSTRUCTIONS) return;
  switch (node.type) {
    case 'char':
      program.push({ op: 'char', accepts: node.accepts });
      break;
    case 'assert':
      program.push({ op: 'assert', at: node.at });
      break;
    case 'sequence':
      for (const part of node.parts) emit(part, program);
      break;
    case 'choice':
      emitChoice(node.options, program);
      break;
    case 'repeat':
      emitRepeat(node, program);
      break;
  }
}

function emitChoice([option, ...rest]: readonly Node[], program: Instruction[]): void {
  if (option === undefined) return;
  if (rest.length === 0) {
    emit(option, program);
    return;
  }
  const split = { op: 'split' as const, first: program.length + 1, second: 0 };
  const jump = { op: 'jump' as const, to: 0 };
  program.push(split);
  emit(option, program);
  program.push(jump);
  split.second = program.length;
  emitChoice(rest, program);
  jump.to = program.length;
}

function emitRepeat(node: Node & { readonly type: 'repeat' }, program: Instruction[]): void {
  for (let count = 0; count < node.min && program.length <= MAX_INSTRUCTIONS; count++) emit(node.of, program);
  if (node.max === Number.POSITIVE_INFINITY) {
    const split = { op: 'split' as const, first: program.length + 1, second: 0 };
    const start = program.push(split) - 1;
    emit(node.of, program);
    program.push({ op: 'jump', to: start });
    split.second = program.length;
    return;
  }
  const splits: { second: number }[] = [];
  for (let count = node.min; count < node.max && program.length <= MAX_INSTRUCTIONS; count++) {
    const split = { op: 'split' as const, first: program.length + 1, second: 0 };
    splits.push(split);
    program.push(split);
    emit(node.of, program);
  }
  for (const split of splits) split.second = program.length;
}
