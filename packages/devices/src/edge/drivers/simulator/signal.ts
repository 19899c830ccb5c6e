/** Signals that a simulated property can have: values as functions of time. Pure, but for what a walk and a memory remember. */
import type { RawValue } from '../../../values/encoding.ts';
import type { Replay } from './replay.ts';

/** `address` of a visitor, with its defaults. */
export interface SignalAddress {
  readonly signal: 'Constant' | 'Sine' | 'Square' | 'Sawtooth' | 'Walk' | 'Counter' | 'Replay' | 'Memory';
  readonly periodMs: number;
  readonly minimum: number;
  readonly maximum: number;
  readonly step: number;
  readonly seed: number;
  readonly column: string;
  readonly initial: RawValue | undefined;
}

export interface Signal {
  /** `elapsedMs` since the device began; undefined where there is no value then. */
  at(elapsedMs: number): RawValue | undefined;
}

export function createSignal(address: SignalAddress, replay: Replay | undefined): Signal {
  const { signal, periodMs, minimum, maximum, step, initial } = address;
  const span = maximum - minimum;
  const phase = (elapsedMs: number) => (elapsedMs % periodMs) / periodMs;
  switch (signal) {
    case 'Constant':
    case 'Memory':
      return { at: () => initial ?? minimum };
    case 'Sine':
      return { at: (elapsedMs) => minimum + (span / 2) * (1 + Math.sin(2 * Math.PI * phase(elapsedMs))) };
    case 'Square':
      return { at: (elapsedMs) => (phase(elapsedMs) < 0.5 ? minimum : maximum) };
    case 'Sawtooth':
      return { at: (elapsedMs) => minimum + span * phase(elapsedMs) };
    case 'Counter':
      return { at: (elapsedMs) => minimum + Math.floor(elapsedMs / periodMs) * step };
    case 'Walk':
      return walk(address);
    case 'Replay':
      return { at: (elapsedMs) => replay?.valueAt(address.column, elapsedMs) };
  }
}

/** Nobody notices what a walk did in more steps that nobody looked at. */
const MAX_MISSED_STEPS = 10_000;

function walk({ periodMs, minimum, maximum, step, seed }: SignalAddress): Signal {
  const random = mulberry32(seed);
  let value = (minimum + maximum) / 2;
  let taken = 0;
  return {
    at: (elapsedMs) => {
      const due = Math.floor(elapsedMs / periodMs);
      for (taken = Math.max(taken, due - MAX_MISSED_STEPS); taken < due; taken++) {
        value = Math.min(maximum, Math.max(minimum, value + (random() * 2 - 1) * step));
      }
      return value;
    },
  };
}

/** A small generator of numbers in [0, 1) that are the same for the same seed (Tommy Ettinger, public domain). */
function mulberry32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
