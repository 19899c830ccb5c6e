/** Runs one control loop: a cycle on a grid, from the last values on the bus to writes through the door. */
import type { Clock, Logger } from '@skerry/base';
import { isBad, type LastValues } from '@skerry/streams/contract';
import {
  afterFailure,
  FIRST_STATE,
  type LoopAction,
  type LoopState,
  type LoopWriteAction,
  type PidStart,
  runCycle,
} from '../../control/cycle.ts';
import type { LoopProgram } from '../../control/program.ts';
import type { ControlLoopStatus, PropertyRef } from '../../resources/control-loop.ts';
import type { Operand } from '../../values/expression.ts';
import { valueFromBus } from '../../values/value.ts';
import { integerRange } from '../../values/value-type.ts';
import { driverErrorOf } from '../driver-error.ts';
import { isReadable } from '../twin/confirm.ts';
import type { PropertyPlace, Twins } from '../twin/twins.ts';
import type { LiveDevices } from '../worker/live-device.ts';
import { JitterWindow } from './jitter.ts';
import type { Metronome } from './metronome.ts';

export interface LoopContext {
  readonly clock: Clock;
  readonly log: Logger;
  readonly devices: LiveDevices;
  readonly last: LastValues;
  readonly twins: Twins;
  readonly metronome: Metronome;
}

/** What failed is tried again after so long. */
const AGAIN_MS = 1000;
/** So many writes and calls may be on their way; a device that is slower is not asked for more. */
const MAX_UNDERWAY = 64;

export class LoopRunner {
  readonly #namespace: string;
  readonly #name: string;
  readonly #program: LoopProgram;
  readonly #context: LoopContext;
  readonly #stopping = new AbortController();
  readonly #jitter: JitterWindow;
  /** Places that are being written: a next value waits for the cycle after. */
  readonly #underway = new Set<string>();
  /** What ends each hold of an interlock. */
  readonly #held = new Map<string, () => void>();
  /** Of what interlocks may hold, until it is known whether they do. */
  #undecided: readonly (() => void)[] = [];
  #state: LoopState = FIRST_STATE;
  #running: Promise<void> | undefined;
  #cycles = 0;
  #overruns = 0;
  #error = '';
  #lastAction: { readonly text: string; readonly at: number } | undefined;
  #stale = '';

  constructor(at: { readonly namespace: string; readonly name: string }, program: LoopProgram, context: LoopContext) {
    this.#namespace = at.namespace;
    this.#name = at.name;
    this.#program = program;
    this.#context = context;
    this.#jitter = new JitterWindow(program.cycleMs);
  }

  /** As it may have been before a restart: nothing gets past an interlock that has not looked yet. */
  start(): void {
    if (this.#running !== undefined) return;
    const holder = { by: this.#by(''), kind: 'Undecided' } as const;
    const places = this.#program.interlocks.flatMap(({ writes }) => writes);
    this.#undecided = places.map((place) => this.#context.twins.hold(this.#placeOf(place), holder));
    this.#running = this.#run();
  }

  /** What it holds it goes on holding. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  /** Once it is stopped, and whoever follows it holds what is to be held. */
  release(): void {
    for (const end of [...this.#held.values(), ...this.#undecided]) end();
  }

  get status(): ControlLoopStatus {
    const jitter = this.#jitter.summary;
    return {
      state: this.#state.mode,
      lastError: this.#error || this.#stale,
      cycles: this.#cycles,
      overruns: this.#overruns,
      interlocks: [...this.#state.interlocks],
      ...(jitter === undefined ? {} : { jitter }),
      ...(this.#lastAction === undefined
        ? {}
        : { lastAction: this.#lastAction.text, lastActionTime: new Date(this.#lastAction.at).toISOString() }),
    };
  }

  /** Due times stand on a grid, so that a late cycle makes the next one no later. */
  async #run(): Promise<void> {
    const { clock, metronome } = this.#context;
    const { cycleMs } = this.#program;
    const { signal } = this.#stopping;
    let due = clock.monotonic();
    while (!signal.aborted) {
      this.#cycle();
      due += cycleMs;
      const late = clock.monotonic() - due;
      if (late > 0) {
        const missed = Math.ceil(late / cycleMs);
        this.#overruns += missed;
        due += missed * cycleMs;
      }
      try {
        await metronome.until(due, signal);
      } catch {
        return;
      }
      this.#jitter.add(clock.monotonic() - due);
    }
  }

  #cycle(): void {
    this.#cycles++;
    const inputs = { operands: this.#inputs(), ...this.#pidStart() };
    const { state, actions } = runCycle(this.#program, this.#state, inputs, this.#context.clock.monotonic());
    this.#state = state;
    for (const action of actions) this.#perform(action);
    if (inputs.operands !== undefined) this.#decided();
  }

  #decided(): void {
    const undecided = this.#undecided;
    this.#undecided = [];
    for (const end of undecided) end();
  }

  /** Undefined while one of them is not to be relied on. */
  #inputs(): readonly Operand[] | undefined {
    const operands: Operand[] = [];
    for (const place of this.#program.inputs) {
      const operand = this.#operandOf(place);
      if (operand === undefined) {
        this.#stale = `${place.device}.${place.property} has no fresh value`;
        return undefined;
      }
      operands.push(operand);
    }
    this.#stale = '';
    return operands;
  }

  /** A PID that begins goes on from what its output is, where the device can say it. */
  #pidStart(): { readonly pidStart?: PidStart } {
    const { pid } = this.#program;
    if (pid === undefined || this.#state.pid !== undefined) return {};
    const point = this.#context.devices.get(this.#namespace, pid.output.device)?.point(pid.output.property);
    if (point !== undefined && !isReadable(point)) return {};
    const output = this.#operandOf(pid.output);
    if (typeof output === 'number' && Number.isFinite(output)) return { pidStart: output };
    this.#stale ||= `${pid.output.device}.${pid.output.property} has no fresh value for the PID to start from`;
    return { pidStart: 'Awaited' };
  }

  #operandOf({ device: name, property }: PropertyRef): Operand | undefined {
    const { clock, devices, last } = this.#context;
    const device = devices.get(this.#namespace, name);
    const point = device?.point(property);
    const sample = point === undefined ? undefined : last.get(point.series);
    if (device === undefined || point === undefined || sample === undefined || isBad(sample.quality)) return undefined;
    // A value that does not change is not told again; that the device answers is what counts.
    const seenAt = Math.max(device.lastGoodAt ?? 0, sample.time);
    if (clock.now() - seenAt > this.#program.staleAfterMs) return undefined;
    const value = valueFromBus(point.property.valueType, sample.value);
    if (typeof value === 'bigint') return Number(value);
    return typeof value === 'number' || typeof value === 'boolean' || typeof value === 'string' ? value : undefined;
  }

  #perform(action: LoopAction): void {
    switch (action.do) {
      case 'hold':
        this.#hold(action);
        return;
      case 'release':
        this.#letGo(action);
        return;
      case 'write':
        void this.#write(action);
        return;
      case 'call':
        void this.#call(action);
        return;
    }
  }

  /** As whom it writes: an interlock holds a property against everybody else, its own loop's rules too. */
  #by(cause: string): string {
    return cause.startsWith('interlock ') ? `${cause} of loop ${this.#name}` : `loop ${this.#name}`;
  }

  #placeOf({ device, property }: PropertyRef): PropertyPlace {
    return { namespace: this.#namespace, device, property };
  }

  #hold(action: HoldAction): void {
    const holder = { by: this.#by(action.cause), kind: 'Holding' } as const;
    this.#held.set(holdKeyOf(action), this.#context.twins.hold(this.#placeOf(action), holder));
  }

  #letGo(action: HoldAction): void {
    const key = holdKeyOf(action);
    this.#held.get(key)?.();
    this.#held.delete(key);
  }

  async #write(action: LoopWriteAction): Promise<void> {
    const { cause, device, property, value } = action;
    const key = `${device}.${property}`;
    if (this.#underway.has(key) || this.#underway.size >= MAX_UNDERWAY) {
      this.#again(action, 0);
      return;
    }
    this.#underway.add(key);
    try {
      const request = {
        namespace: this.#namespace,
        device,
        by: this.#by(cause),
        values: { [property]: this.#fitted(device, property, value) },
      };
      const { twins } = this.#context;
      const outcomes = await twins.write({ ...request, until: 'Acknowledged' }, this.#stopping.signal);
      const { result, reason = result } = outcomes[property] ?? { result: 'Rejected' };
      if (result === 'Confirmed') this.#did(`${cause}: ${key} = ${JSON.stringify(value)}`);
      else {
        this.#error = `${cause}: ${key} not written: ${reason}`;
        this.#again(action, AGAIN_MS);
      }
    } catch {
      // The loop ends.
    } finally {
      this.#underway.delete(key);
    }
  }

  /** Arithmetic gives fractions; what takes whole numbers gets the nearest one. */
  #fitted(device: string, property: string, value: unknown): unknown {
    const type = this.#context.devices.get(this.#namespace, device)?.point(property)?.property.valueType;
    const isWhole = type?.kind === 'scalar' && integerRange(type.scalar) !== undefined;
    return isWhole && typeof value === 'number' && Number.isFinite(value) ? Math.round(value) : value;
  }

  /** Never tried again by itself: it may have been carried out. */
  async #call({ cause, device, command, input }: Extract<LoopAction, { do: 'call' }>): Promise<void> {
    try {
      const request = { namespace: this.#namespace, device, by: this.#by(cause), command, input };
      await this.#context.twins.call(request, this.#stopping.signal);
      this.#did(`${cause}: ${device}.${command}()`);
    } catch (error) {
      this.#error = `${cause}: ${device}.${command}() failed: ${driverErrorOf(error).message}`;
    }
  }

  #did(text: string): void {
    this.#error = '';
    this.#lastAction = { text, at: this.#context.clock.now() };
  }

  #again(action: LoopWriteAction, afterMs: number): void {
    this.#state = afterFailure(this.#state, action, this.#context.clock.monotonic() + afterMs);
  }
}

type HoldAction = Extract<LoopAction, { do: 'hold' | 'release' }>;

function holdKeyOf({ cause, device, property }: HoldAction): string {
  return JSON.stringify([cause, device, property]);
}
