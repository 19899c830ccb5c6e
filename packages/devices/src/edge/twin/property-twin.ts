/** One property between those who want something of it and the device: who stands, and what is to be done next. Pure. */
import type { WriteRule } from '../../resources/device.ts';
import type { WriteResult } from '../../resources/device-status.ts';

/** A value that somebody wants. */
export interface Wish {
  /** The same wish has the same, whoever tells of it and however often. */
  readonly version: string;
  /** As JSON. */
  readonly value: unknown;
  /** When it was wanted; milliseconds since 1970, 0 when nobody said. */
  readonly at: number;
  readonly by: string;
  readonly notAfter?: number;
  /** Also over a local write that stands. */
  readonly isForced?: boolean;
}

/** What became of the desired value that was last looked at. `Sending` is written down before the device hears of it. */
export interface Taken {
  readonly version: string;
  readonly state: WriteResult | 'Sending';
  readonly reason?: string;
  readonly time: number;
}

/** What outlives the process. */
export interface TwinRecord {
  readonly taken?: Taken;
  /** The last local write, as long as it stands. */
  readonly local?: Wish;
}

export interface PropertyTwin extends TwinRecord {
  readonly rule: WriteRule;
  /** Of `spec.desired`. */
  readonly desired?: Wish;
  readonly holders?: ReadonlySet<Holder>;
}

/** Who holds a property: nobody else writes to it. `Undecided`: whether it is to be held is not known yet, and wishes wait for that. */
export interface Holder {
  readonly by: string;
  readonly kind: 'Holding' | 'Undecided';
}

export interface Surroundings {
  readonly now: number;
  readonly isConnected: boolean;
  readonly whileDisconnected: 'Wait' | 'Expire';
  readonly expireAfterMs?: number;
}

export type Step =
  | { readonly do: 'rest' }
  /** Until something changes, at the latest until then. `taken` is to be remembered first. */
  | { readonly do: 'wait'; readonly taken: Taken; readonly until?: number }
  | { readonly do: 'settle'; readonly taken: Taken }
  /** `taken` is on disk before the device hears of it. */
  | { readonly do: 'send'; readonly wish: Wish; readonly taken: Taken }
  /** It may have been sent, or not: only asking the device tells. */
  | { readonly do: 'verify'; readonly wish: Wish };

/** Invariant: for each version, `send` is answered at most once, provided that what `send` said was remembered. */
export function nextStep(twin: PropertyTwin, around: Surroundings): Step {
  const { desired, taken } = twin;
  if (desired === undefined) return { do: 'rest' };
  const known = taken?.version === desired.version ? taken : undefined;
  if (known !== undefined && isFinal(known)) return { do: 'rest' };
  if (known?.state === 'Sending')
    return around.isConnected ? { do: 'verify', wish: desired } : { do: 'wait', taken: known };
  const { now } = around;
  const { version } = desired;
  const refusal = refusalOf(twin, desired, now);
  if (refusal !== undefined) return { do: 'settle', taken: { version, time: now, ...refusal } };
  if (holderAgainst(twin, undefined) !== undefined) return untilDecided(desired, known, now);
  if (around.isConnected) return { do: 'send', wish: desired, taken: { version, state: 'Sending', time: now } };
  return waitOrExpire(desired, known ?? { version, state: 'Pending', time: now }, around);
}

function untilDecided({ version, notAfter }: Wish, known: Taken | undefined, now: number): Step {
  const taken = known ?? { version, state: 'Pending', time: now };
  return { do: 'wait', taken, ...(notAfter === undefined ? {} : { until: notAfter }) };
}

function isFinal({ state }: Taken): boolean {
  return state !== 'Sending' && state !== 'Pending';
}

interface Refusal {
  readonly state: WriteResult;
  readonly reason: string;
}

function refusalOf(twin: PropertyTwin, desired: Wish, now: number): Refusal | undefined {
  const { rule, local } = twin;
  const holder = holderAgainst(twin, undefined);
  if (desired.notAfter !== undefined && now >= desired.notAfter)
    return { state: 'Expired', reason: `it was not to be written after ${timeText(desired.notAfter)}` };
  if (holder?.kind === 'Holding') return { state: 'Rejected', reason: heldText(holder) };
  if (local !== undefined && localStands(rule, local, desired))
    return { state: 'Superseded', reason: `${local.by} has written ${JSON.stringify(local.value)} (${rule})` };
  return undefined;
}

/** Those that hold it may write, whoever waits for a decision; none where nobody is against `by`. */
function holderAgainst({ holders = new Set() }: PropertyTwin, by: string | undefined): Holder | undefined {
  const all = [...holders];
  const holding = all.filter(({ kind }) => kind === 'Holding');
  const deciding = holding.length > 0 ? holding : all;
  return deciding.some((holder) => holder.by === by) ? undefined : deciding[0];
}

function heldText({ by, kind }: Holder): string {
  return kind === 'Holding' ? `${by} holds the property` : `${by} holds the property until its inputs are known`;
}

function localStands(rule: WriteRule, local: Wish, desired: Wish): boolean {
  switch (rule) {
    case 'cloud-wins':
      return false;
    case 'edge-wins':
      return desired.isForced !== true;
    case 'last-writer':
      return local.at > desired.at;
  }
}

function waitOrExpire(
  { notAfter = Number.POSITIVE_INFINITY }: Wish,
  taken: Taken,
  { now, whileDisconnected, expireAfterMs = Number.POSITIVE_INFINITY }: Surroundings,
): Step {
  const expire = (reason: string): Step => ({
    do: 'settle',
    taken: { version: taken.version, state: 'Expired', reason, time: now },
  });
  if (whileDisconnected === 'Expire') return expire('the device was not connected');
  const until = Math.min(notAfter, taken.time + expireAfterMs);
  if (now >= until) return expire('the device was not connected for too long');
  return { do: 'wait', taken, ...(Number.isFinite(until) ? { until } : {}) };
}

/** Whether a local write may be sent now; where not, why. */
export function refusalOfLocal(twin: PropertyTwin, wish: Wish, now: number): Refusal | undefined {
  const { rule, desired } = twin;
  const holder = holderAgainst(twin, wish.by);
  if (holder !== undefined) return { state: 'Rejected', reason: heldText(holder) };
  if (desired === undefined || !desiredStands(twin, desired, now)) return undefined;
  const what = `${JSON.stringify(desired.value)} is desired (${rule})`;
  if (rule === 'cloud-wins') return { state: 'Rejected', reason: what };
  if (rule === 'last-writer' && desired.at > wish.at) return { state: 'Superseded', reason: what };
  return undefined;
}

/** A desired value that was refused, has expired or was never confirmed binds nobody. */
function desiredStands({ taken }: PropertyTwin, { version, notAfter }: Wish, now: number): boolean {
  if (notAfter !== undefined && now >= notAfter) return false;
  if (taken?.version !== version) return true;
  return taken.state === 'Confirmed' || !isFinal(taken);
}

/** What is left of a local write when a desired value was sent after it. */
export function afterSend({ rule, local, desired }: PropertyTwin): Wish | undefined {
  return rule === 'edge-wins' && desired?.isForced !== true ? local : undefined;
}

function timeText(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
