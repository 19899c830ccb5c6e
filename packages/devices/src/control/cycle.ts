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
  /** Writes that did not arrive, by what they are for: each is sent again as long as its reason holds. */
  readonly unwritten: ReadonlyMap<string, Unwritten>;
}

interface Unwritten {
  readonly write: LoopWriteAction;
  readonly again: number;
}

interface PidState {
  readonly at: number;
  readonly input: number;
  readonly integral: number;
  /** As it was last written. */
  readonly output: number;
}

export interface LoopWriteAction extends PropertyRef {
  readonly do: 'write';
  /** `rule NAME`, `interlock NAME`, `pid`, `safe`: a failure is told under this name. */
  readonly cause: string;
  readonly value: unknown;
}

export type LoopAction =
  | LoopWriteAction
  | {
      readonly do: 'call';
      readonly cause: string;
      readonly device: string;
      readonly command: string;
      readonly input: Readonly<Record<string, unknown>>;
    }
  | ({ readonly do: 'hold' | 'release'; readonly cause: string } & PropertyRef);

export const FIRST_STATE: LoopState = {
  mode: 'Holding',
  rules: new Map(),
  interlocks: new Set(),
  unwritten: new Map(),
};

export interface Cycle {
  readonly state: LoopState;
  readonly actions: readonly LoopAction[];
}

/** What a PID starts from: the output that is reported; `Awaited` while it is not known yet. */
export type PidStart = number | 'Awaited';

export interface CycleInputs {
  /** Undefined while one of them is not fresh. */
  readonly operands: readonly Operand[] | undefined;
  /** None where it cannot be known: the integral then starts at zero. */
  readonly pidStart?: PidStart;
}

/** `now` never goes back; milliseconds. */
export function runCycle(program: LoopProgram, state: LoopState, inputs: CycleInputs, now: number): Cycle {
  const { operands, pidStart } = inputs;
  const cycle =
    operands === undefined ? withoutInputs(program, state) : withInputs(program, state, { operands, pidStart, now });
  return withRepeats(cycle, now);
}

interface Fresh {
  readonly operands: readonly Operand[];
  readonly pidStart: PidStart | undefined;
  readonly now: number;
}

function withInputs(program: LoopProgram, state: LoopState, fresh: Fresh): Cycle {
  const { operands, now } = fresh;
  const locks = runInterlocks(program, state, operands);
  const rules = runRules(program, state, operands, now);
  const pid = program.pid === undefined ? undefined : startedPid(program.pid, state.pid, fresh);
  return {
    state: {
      mode: locks.holding.size > 0 ? 'Interlocked' : 'Running',
      rules: rules.rules,
      interlocks: locks.holding,
      unwritten: state.unwritten,
      ...(pid === undefined ? {} : { pid: pid.state }),
    },
    // Whoever holds a property writes it first; what others would write to it is refused.
    actions: [...locks.actions, ...rules.actions, ...(pid?.actions ?? [])],
  };
}

/** Interlocks that hold go on holding; the rest begins anew with the next inputs. */
function withoutInputs({ onStale, safe }: LoopProgram, { mode, interlocks, unwritten }: LoopState): Cycle {
  const state: LoopState = { ...FIRST_STATE, interlocks, unwritten };
  if (onStale === 'Hold') return { state, actions: [] };
  const actions = mode === 'Safe' ? [] : writesOf(safe, [], 'safe');
  return { state: { ...state, mode: 'Safe' }, actions };
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

/** Undefined while it is not known where to start: a jump of the output would be felt. */
function startedPid(pid: CompiledPid, before: PidState | undefined, { operands, pidStart, now }: Fresh) {
  if (before !== undefined || pidStart === undefined) return runPid(pid, before, operands, now);
  return pidStart === 'Awaited' ? undefined : runPid(pid, startOf(pid, pidStart, operands, now), operands, now);
}

/** A state as if the output had been steady there. Without an integral nothing could lead away from it. */
function startOf(pid: CompiledPid, output: number, operands: readonly Operand[], at: number): PidState {
  const { kp, ki = 0, minimum, maximum, reverse = false } = pid;
  const input = Number(operands[pid.input]);
  const proportional = (reverse ? -kp : kp) * (pid.setpoint(operands) - input);
  const steady = Math.min(maximum, Math.max(minimum, output)) - proportional;
  return { at, input, integral: ki === 0 || !Number.isFinite(steady) ? 0 : steady, output };
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

/** Sends again what is due of that which did not arrive, and forgets what nobody wants any more. */
function withRepeats({ state, actions }: Cycle, now: number): Cycle {
  if (state.unwritten.size === 0) return { state, actions };
  const renewed = new Set(actions.flatMap((action) => (action.do === 'write' ? [keyOf(action)] : [])));
  const wanted = [...state.unwritten].filter(([key, { write }]) => !renewed.has(key) && isWanted(state, write.cause));
  const due = wanted.filter(([, { again }]) => again <= now).map(([, { write }]) => write);
  const unwritten = new Map(wanted.filter(([, { again }]) => again > now));
  return { state: { ...state, unwritten }, actions: [...actions, ...due] };
}

function isWanted({ mode, rules, interlocks, pid }: LoopState, cause: string): boolean {
  const [kind = '', ...words] = cause.split(' ');
  const name = words.join(' ');
  switch (kind) {
    case 'rule':
      return rules.get(name)?.hasActed === true;
    case 'interlock':
      return interlocks.has(name);
    case 'safe':
      return mode === 'Safe';
    default:
      return pid !== undefined;
  }
}

function keyOf({ cause, device, property }: LoopWriteAction): string {
  return JSON.stringify([cause, device, property]);
}

/** A write did not arrive: this one alone is sent again, at the time `again`, unless a later one for the same waits already. */
export function afterFailure(state: LoopState, write: LoopWriteAction, again: number): LoopState {
  const key = keyOf(write);
  if (state.unwritten.has(key)) return state;
  return { ...state, unwritten: new Map(state.unwritten).set(key, { write, again }) };
}
