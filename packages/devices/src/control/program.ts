/** A control loop compiled: its expressions as functions of its inputs. Pure. */
import { parseDuration } from '@skerry/api/durations';
import type { ControlLoopSpec, LoopCall, LoopWrite, PidSpec, PropertyRef } from '../resources/control-loop.ts';
import { compileExpression, type Expression, ExpressionError, type Operand } from '../values/expression.ts';

export interface LoopProgram {
  readonly cycleMs: number;
  readonly staleAfterMs: number;
  readonly onStale: 'Hold' | 'Safe';
  readonly inputs: readonly PropertyRef[];
  readonly safe: readonly CompiledWrite[];
  readonly rules: readonly CompiledRule[];
  readonly interlocks: readonly CompiledInterlock[];
  readonly pid?: CompiledPid;
}

export interface CompiledWrite extends PropertyRef {
  /** JSON. */
  readonly value: (inputs: readonly Operand[]) => unknown;
}

export interface CompiledCall {
  readonly device: string;
  readonly command: string;
  readonly input: (inputs: readonly Operand[]) => Readonly<Record<string, unknown>>;
}

export interface CompiledRule {
  readonly name: string;
  readonly holds: (inputs: readonly Operand[]) => boolean;
  readonly forMs: number;
  readonly writes: readonly CompiledWrite[];
  readonly calls: readonly CompiledCall[];
}

export interface CompiledInterlock {
  readonly name: string;
  readonly holds: (inputs: readonly Operand[]) => boolean;
  readonly writes: readonly CompiledWrite[];
}

export interface CompiledPid extends Omit<PidSpec, 'setpoint' | 'input'> {
  readonly input: number;
  readonly setpoint: (inputs: readonly Operand[]) => number;
}

/** Something in a field that cannot be; the message completes a sentence about it. */
export class LoopError extends Error {
  override readonly name = 'LoopError';
  readonly path: string;

  constructor(path: string, message: string) {
    super(message);
    this.path = path;
  }
}

const LEAST_CYCLE_MS = 10;
const DEFAULT_CYCLE_MS = 100;
const DEFAULT_STALE_MS = 10_000;

/** Throws a LoopError. */
export function compileLoop(spec: ControlLoopSpec): LoopProgram {
  const { inputs = [], safe = [], rules = [], interlocks = [], pid } = spec;
  const names = inputs.map(({ name }) => name);
  const cycleMs = durationAt('spec.cycle', spec.cycle, DEFAULT_CYCLE_MS);
  if (cycleMs < LEAST_CYCLE_MS) throw new LoopError('spec.cycle', `must be at least ${LEAST_CYCLE_MS}ms`);
  const compiled = pid === undefined ? undefined : compilePid(pid, names);
  return {
    cycleMs,
    staleAfterMs: durationAt('spec.staleAfter', spec.staleAfter, DEFAULT_STALE_MS),
    onStale: spec.onStale ?? 'Hold',
    inputs,
    safe: compileWrites(safe, names, 'spec.safe'),
    rules: rules.map(({ name, when, for: time, write = [], call = [] }, at) => ({
      name,
      holds: conditionAt(`spec.rules[${at}].when`, when, names),
      forMs: durationAt(`spec.rules[${at}].for`, time, 0),
      writes: compileWrites(write, names, `spec.rules[${at}].write`),
      calls: call.map((each, index) => compileCall(each, names, `spec.rules[${at}].call[${index}]`)),
    })),
    interlocks: interlocks.map(({ name, when, write }, at) => ({
      name,
      holds: conditionAt(`spec.interlocks[${at}].when`, when, names),
      writes: compileWrites(write, names, `spec.interlocks[${at}].write`),
    })),
    ...(compiled === undefined ? {} : { pid: compiled }),
  };
}

function compileWrites(writes: readonly LoopWrite[], names: readonly string[], path: string): readonly CompiledWrite[] {
  return writes.map(({ device, property, value, expression }, at) => {
    if ((value === undefined) === (expression === undefined))
      throw new LoopError(`${path}[${at}]`, 'must have either value or expression');
    if (expression === undefined) return { device, property, value: () => value };
    const compiled = expressionAt(`${path}[${at}].expression`, expression, names);
    return { device, property, value: (inputs) => compiled.evaluate(inputs) };
  });
}

function compileCall({ device, command, input = {} }: LoopCall, names: readonly string[], path: string): CompiledCall {
  const parameters = Object.entries(input).map(
    ([name, text]) => [name, expressionAt(`${path}.input.${name}`, text, names)] as const,
  );
  return {
    device,
    command,
    input: (inputs) => Object.fromEntries(parameters.map(([name, each]) => [name, each.evaluate(inputs)])),
  };
}

function compilePid(pid: PidSpec, names: readonly string[]): CompiledPid {
  const input = names.indexOf(pid.input);
  if (input < 0) throw new LoopError('spec.pid.input', `is no input; there are ${names.join(', ')}`);
  if (pid.minimum >= pid.maximum) throw new LoopError('spec.pid.maximum', 'must be above minimum');
  const setpoint = expressionAt('spec.pid.setpoint', pid.setpoint, names);
  return { ...pid, input, setpoint: (inputs) => Number(setpoint.evaluate(inputs)) };
}

function conditionAt(path: string, text: string, names: readonly string[]): (inputs: readonly Operand[]) => boolean {
  const condition = expressionAt(path, text, names);
  return (inputs) => Boolean(condition.evaluate(inputs));
}

function expressionAt(path: string, text: string, names: readonly string[]): Expression {
  try {
    return compileExpression(text, names);
  } catch (error) {
    if (error instanceof ExpressionError) throw new LoopError(path, error.message);
    throw error;
  }
}

function durationAt(path: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  const milliseconds = parseDuration(text);
  if (milliseconds === undefined) throw new LoopError(path, 'is no duration');
  return milliseconds;
}
