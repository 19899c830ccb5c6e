/** From what is free to which conditions a node is in, and what has to be reclaimed now. Pure; time is an argument. */
import { type Signal, type Threshold, unitsOf } from './thresholds.ts';

export type Pressure = 'MemoryPressure' | 'DiskPressure' | 'PIDPressure';

export const PRESSURES: readonly Pressure[] = ['MemoryPressure', 'DiskPressure', 'PIDPressure'];

export interface Observation {
  readonly available: number;
  readonly capacity: number;
}

export type Observations = ReadonlyMap<Signal, Observation>;

export interface PressureState {
  /** Thresholds that are crossed, since when. */
  readonly crossed: ReadonlyMap<Threshold, number>;
  /** When each pressure was last there. */
  readonly seen: ReadonlyMap<Pressure, number>;
}

export const NO_PRESSURE: PressureState = { crossed: new Map(), seen: new Map() };

export interface PressureStep {
  readonly state: PressureState;
  readonly pressures: ReadonlySet<Pressure>;
  /** What is due to be acted upon: memory first, then hard before soft. */
  readonly due: readonly Threshold[];
}

const PRESSURE_OF: Readonly<Record<Signal, Pressure>> = {
  'memory.available': 'MemoryPressure',
  'nodefs.available': 'DiskPressure',
  'nodefs.inodesFree': 'DiskPressure',
  'imagefs.available': 'DiskPressure',
  'imagefs.inodesFree': 'DiskPressure',
  'pid.available': 'PIDPressure',
};

export interface PressureRules {
  readonly thresholds: readonly Threshold[];
  readonly pressureTransitionMs: number;
}

export function stepPressure(
  { crossed, seen }: PressureState,
  { thresholds, pressureTransitionMs }: PressureRules,
  observations: Observations,
  now: number,
): PressureStep {
  const nextCrossed = new Map<Threshold, number>();
  for (const threshold of thresholds) {
    const since = crossed.get(threshold);
    if (isCrossed(threshold, observations, since !== undefined)) nextCrossed.set(threshold, since ?? now);
  }
  const nextSeen = new Map(seen);
  for (const { signal } of nextCrossed.keys()) nextSeen.set(PRESSURE_OF[signal], now);
  const lasting = PRESSURES.filter((one) => {
    const at = nextSeen.get(one);
    return at !== undefined && (at === now || now - at < pressureTransitionMs);
  });
  const due = [...nextCrossed].filter(([{ graceMs }, since]) => now - since >= graceMs).map(([threshold]) => threshold);
  return { state: { crossed: nextCrossed, seen: nextSeen }, pressures: new Set(lasting), due: due.sort(byUrgency) };
}

/** A threshold that was crossed counts until the minimum reclaim is free as well. What cannot be observed is not short. */
export function isCrossed(
  { signal, least, minimumReclaim }: Threshold,
  observations: Observations,
  wasCrossed: boolean,
): boolean {
  const observed = observations.get(signal);
  if (observed === undefined || observed.capacity === 0) return false;
  const { available, capacity } = observed;
  return available < unitsOf(least, capacity) + (wasCrossed ? unitsOf(minimumReclaim, capacity) : 0);
}

function byUrgency(one: Threshold, other: Threshold): number {
  return rank(one.signal) - rank(other.signal) || one.graceMs - other.graceMs;
}

function rank(signal: Signal): number {
  return signal === 'memory.available' ? 0 : 1;
}
