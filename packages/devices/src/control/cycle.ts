/** One cycle of a control loop: from inputs to what is to be written and called. Pure. */
import type { PropertyRef } from '../resources/control-loop.ts';
import type { Operand } from '../values/expression.ts';
import type { CompiledPid, CompiledWrite, LoopProgram } from './program.ts';

export type LoopMode = 'Running' | 'Holding' | 'Safe' | 'Interlocked';

export interface LoopState {
  readonly mode: LoopMode;
  /** Rules whose condition holds: since when, and whether they have acted on it. */
  readonly rules: ReadonlyMap<string, { readonly since: number; readonly hasActed: boolean }>;
  /** Interlocks that hold. */
  readonly interlocks: ReadonlySet<string>;
  readonly pid?: PidState;
}

interface PidState {
  readonly at: number;
  readonly input: number;
  readonly integral: number;
  /** As it was last written. */
  readonly output: number;
}

export type LoopAction =
  | ({
      readonly do: 'write';
      /** `rule NAME`, `interlock NAME`, `pid`, `safe`: a failure is told under this name. */
      readonly cause: string;
      readonly value: unknown;
    } & PropertyRef)
  | {
      readonly do: 'call';
      readonly cause: string;
      readonly device: string;
      readonly command: string;
      readonly input: Readonly<Record<string, unknown>>;
    }
  | ({ readonly do: 'hold' | 'release'; readonly cause: string } & PropertyRef);

export const FIRST_STATE: LoopState = { mode: 'Holding', rules: new Map(), interlocks: new Set() };

export interface Cycle {
  readonly state: LoopState;
  readonly actions: readonly LoopAction[];
}

/** `inputs`: undefined while one of them is not fresh. `now` never goes back; milliseconds. */
export function runCycle(
  program: LoopProgram,
  state: LoopState,
  inputs: readonly Operand[] | undefined,
  now: number,
): Cycle {
  if (inputs === undefined) return withoutInputs(program, state);
  const locks = runInterlocks(program, state, inputs);
  const rules = runRules(program, state, inputs, now);
  const pid = program.pid === undefined ? undefined : runPid(program.pid, state.pid, inputs, now);
  return {
    state: {
      mode: locks.holding.size > 0 ? 'Interlocked' : 'Running',
      rules: rules.rules,
      interlocks: locks.holding,
      ...(pid === undefined ? {} : { pid: pid.state }),
    },
    // Whoever holds a property writes it first; what others would write to it is refused.
    actions: [...locks.actions, ...rules.actions, ...(pid?.actions ?? [])],
  };
}

/** Interlocks that hold go on holding; the rest begins anew with the next inputs. */
function withoutInputs({ onStale, safe }: LoopProgram, { mode, interlocks }: LoopState): Cycle {
  if (onStale === 'Hold') return { state: { ...FIRST_STATE, interlocks }, actions: [] };
  const actions = mode === 'Safe' ? [] : writesOf(safe, [], 'safe');
  return { state: { ...FIRST_STATE, mode: 'Safe', interlocks }, actions };
}

function writesOf(writes: readonly CompiledWrite[], inputs: readonly Operand[], cause: string): readonly LoopAction[] {
  return writes.map(({ device, property, value }) => ({ do: 'write', cause, device, property, value: value(inputs) }));
}

function runInterlocks(program: LoopProgram, { interlocks }: LoopState, inputs: readonly Operand[]) {
  const holding = new Set<string>();
  const actions: LoopAction[] = [];
  for (const { name, holds, writes } of program.interlocks) {
    const cause = `interlock ${name}`;
    const places = (verb: 'hold' | 'release') =>
      writes.map(({ device, property }): LoopAction => ({ do: verb, cause, device, property }));
    if (holds(inputs)) {
      holding.add(name);
      if (!interlocks.has(name)) actions.push(...places('hold'), ...writesOf(writes, inputs, cause));
    } else if (interlocks.has(name)) actions.push(...places('release'));
  }
  return { holding, actions };
}

function runRules(program: LoopProgram, state: LoopState, inputs: readonly Operand[], now: number) {
  const rules = new Map<string, { readonly since: number; readonly hasActed: boolean }>();
  const actions: LoopAction[] = [];
  for (const { name, holds, forMs, writes, calls } of program.rules) {
    if (!holds(inputs)) continue;
    const { since = now, hasActed = false } = state.rules.get(name) ?? {};
    const isDue = !hasActed && now - since >= forMs;
    rules.set(name, { since, hasActed: hasActed || isDue });
    if (!isDue) continue;
    const cause = `rule ${name}`;
    actions.push(...writesOf(writes, inputs, cause));
    for (const { device, command, input } of calls)
      actions.push({ do: 'call', cause, device, command, input: input(inputs) });
  }
  return { rules, actions };
}

/** The derivative is that of the input, so that a new setpoint makes no jump; the integral stops where the output is at its end. */
function runPid(pid: CompiledPid, before: PidState | undefined, inputs: readonly Operand[], now: number) {
  const { kp, ki = 0, kd = 0, minimum, maximum, reverse = false, output: place } = pid;
  const input = Number(inputs[pid.input]);
  const sign = reverse ? -1 : 1;
  const error = sign * (pid.setpoint(inputs) - input);
  const seconds = before === undefined ? 0 : (now - before.at) / 1000;
  const slope = before === undefined || seconds === 0 ? 0 : (input - before.input) / seconds;
  const proportional = kp * error - sign * kd * slope;
  const integral = (before?.integral ?? 0) + ki * error * seconds;
  const wanted = proportional + integral;
  const output = Math.min(maximum, Math.max(minimum, wanted));
  const isAtEnd = output !== wanted && Math.sign(wanted - output) === Math.sign(error);
  const state: PidState = { at: now, input, integral: isAtEnd ? (before?.integral ?? 0) : integral, output };
  if (!Number.isFinite(output))
    return { state: before ?? { at: now, input, integral: 0, output: minimum }, actions: [] };
  const actions: readonly LoopAction[] =
    before?.output === output ? [] : [{ do: 'write', cause: 'pid', ...place, value: output }];
  return { state, actions };
}

/** What was written did not arrive: as long as its reason holds it is written again. */
export function afterFailure(state: LoopState, cause: string): LoopState {
  const [kind = '', ...words] = cause.split(' ');
  const name = words.join(' ');
  switch (kind) {
    case 'rule': {
      const rule = state.rules.get(name);
      return rule === undefined
        ? state
        : { ...state, rules: new Map(state.rules).set(name, { ...rule, hasActed: false }) };
    }
    case 'interlock':
      return { ...state, interlocks: new Set([...state.interlocks].filter((each) => each !== name)) };
    case 'safe':
      return state.mode === 'Safe' ? { ...state, mode: 'Holding' } : state;
    default:
      return state.pid === undefined ? state : { ...state, pid: { ...state.pid, output: Number.NaN } };
  }
}
