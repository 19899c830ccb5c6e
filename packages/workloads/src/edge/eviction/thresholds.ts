/** When a node runs short of something: a kubelet's eviction thresholds, in the words of its flags. Pure. */
import { parseDuration } from '@skerry/base/flags';
import { parseQuantity } from '../quantity.ts';

export const SIGNALS = [
  'memory.available',
  'nodefs.available',
  'nodefs.inodesFree',
  'imagefs.available',
  'imagefs.inodesFree',
  'pid.available',
] as const;

export type Signal = (typeof SIGNALS)[number];

/** So much, or a share of all there is. */
export type Amount = { readonly units: number } | { readonly share: number };

export interface Threshold {
  readonly signal: Signal;
  /** Less than this is too little. */
  readonly least: Amount;
  /** Nothing is done for so long; 0 makes a threshold hard. */
  readonly graceMs: number;
  /** Once crossed, so much more than `least` has to be free. */
  readonly minimumReclaim: Amount;
}

export interface EvictionSettings {
  readonly thresholds: readonly Threshold[];
  /** What a pod gets at most when a soft threshold ends it. */
  readonly maxPodGraceSeconds: number;
  /** A pressure is told of for at least so long. */
  readonly pressureTransitionMs: number;
}

/** A kubelet's, and processes beside them, which it knows but leaves to be set. */
export const DEFAULT_HARD =
  'memory.available<100Mi,nodefs.available<10%,nodefs.inodesFree<5%,imagefs.available<15%,imagefs.inodesFree<5%,pid.available<5%';

export interface ThresholdTexts {
  readonly hard: AmountTable;
  readonly soft: AmountTable;
  readonly softGrace: ReadonlyMap<Signal, number>;
  readonly minimumReclaim: AmountTable;
}

export type AmountTable = ReadonlyMap<Signal, Amount>;

const NOTHING: Amount = { units: 0 };

/** A soft threshold without a grace period is an error, as it is for a kubelet. Throws an Error for people. */
export function thresholdsOf({ hard, soft, softGrace, minimumReclaim }: ThresholdTexts): readonly Threshold[] {
  const of = (signal: Signal, least: Amount, graceMs: number): Threshold => ({
    signal,
    least,
    graceMs,
    minimumReclaim: minimumReclaim.get(signal) ?? NOTHING,
  });
  const soften = ([signal, least]: readonly [Signal, Amount]): Threshold => {
    const graceMs = softGrace.get(signal);
    if (graceMs === undefined) throw new Error(`--eviction-soft-grace-period has no time for ${signal}`);
    return of(signal, least, graceMs);
  };
  return [...[...hard].map(([signal, least]) => of(signal, least, 0)), ...[...soft].map(soften)];
}

/** `memory.available<100Mi,nodefs.available<10%`; throws an Error that completes "--flag value: …". */
export function parseThresholds(text: string): AmountTable {
  return parseTable(text, '<', parseAmount);
}

/** `memory.available=0Mi,nodefs.available=500Mi` */
export function parseReclaim(text: string): AmountTable {
  return parseTable(text, '=', parseAmount);
}

/** `memory.available=1m30s` */
export function parseGracePeriods(text: string): ReadonlyMap<Signal, number> {
  return parseTable(text, '=', parseDuration);
}

function parseTable<T>(text: string, operator: '<' | '=', parse: (text: string) => T): ReadonlyMap<Signal, T> {
  const table = new Map<Signal, T>();
  for (const part of text.split(',').filter((one) => one.trim() !== '')) {
    const [name = '', value, ...more] = part.split(operator).map((one) => one.trim());
    const signal = SIGNALS.find((one) => one === name);
    if (value === undefined || more.length > 0) throw new Error(`"${part}" has to be SIGNAL${operator}VALUE`);
    if (signal === undefined) throw new Error(`there is no signal "${name}", only ${SIGNALS.join(', ')}`);
    if (table.has(signal)) throw new Error(`${signal} is named twice`);
    table.set(signal, parse(value));
  }
  return table;
}

function parseAmount(text: string): Amount {
  const percent = /^(\d+(?:\.\d+)?)%$/.exec(text)?.[1];
  if (percent !== undefined) {
    const share = Number(percent) / 100;
    if (share < 1) return { share };
    throw new Error(`${text} is not less than 100%`);
  }
  const units = parseQuantity(text);
  if (units === undefined || units < 0)
    throw new Error(`"${text}" is neither a quantity such as 100Mi nor a share such as 10%`);
  return { units };
}

export function unitsOf(amount: Amount, capacity: number): number {
  return 'units' in amount ? amount.units : Math.floor(capacity * amount.share);
}
