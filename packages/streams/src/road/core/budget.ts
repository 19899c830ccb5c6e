/** What a route may take of the line: a rate that depends on the time of the week, and a bucket that fills at that rate. */
import type { BudgetWindow, RouteSettings } from '../contract.ts';

type Rates = Pick<RouteSettings, 'bytesPerSecond' | 'windows'>;

/** Bytes a second at a time, in milliseconds since 1970. Undefined: without limit. */
export function rateAt({ bytesPerSecond, windows }: Rates, now: number): number | undefined {
  const window = windows.find((each) => holds(each, now));
  return window === undefined ? bytesPerSecond : window.bytesPerSecond;
}

function holds({ from, to, days, timeZone }: BudgetWindow, now: number): boolean {
  const { day, minute } = localTime(now, timeZone);
  if (from < to) return days.includes(day) && minute >= from && minute < to;
  return (days.includes(day) && minute >= from) || (days.includes((day + 6) % 7) && minute < to);
}

const WEEKDAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];

function localTime(now: number, timeZone: string): { readonly day: number; readonly minute: number } {
  const parts = new Intl.DateTimeFormat('en-US', {
    timeZone,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  }).formatToParts(now);
  const part = (type: string) => parts.find((each) => each.type === type)?.value ?? '';
  return { day: WEEKDAYS.indexOf(part('weekday')), minute: Number(part('hour')) * 60 + Number(part('minute')) };
}

/** So long a rate may be saved up. */
const BURST_MS = 1000;
/** The time of the week is looked at so often. */
const LOOK_MS = 1000;

export class Budget {
  #rates: Rates;
  #rate: number | undefined;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #filledAt: number | undefined;
  #bytes = 0;

  constructor(rates: Rates) {
    this.#rates = rates;
  }

  set rates(rates: Rates) {
    this.#rates = rates;
    this.#lookedAt = Number.NEGATIVE_INFINITY;
  }

  rate(now: number): number | undefined {
    // A clock that was set back is looked at, too.
    if (Math.abs(now - this.#lookedAt) >= LOOK_MS) {
      this.#rate = rateAt(this.#rates, now);
      this.#lookedAt = now;
    }
    return this.#rate;
  }

  /** What waited takes only what others leave: half of the bucket stays for them. */
  allows(now: number, isLate: boolean): boolean {
    const rate = this.#fill(now);
    if (rate === undefined) return true;
    return this.#bytes > (isLate ? this.#burst(rate) / 2 : 0);
  }

  /** May go below zero: a block goes whole. */
  spend(now: number, bytes: number): void {
    if (this.#fill(now) !== undefined) this.#bytes -= bytes;
  }

  #burst(rate: number): number {
    return (rate * BURST_MS) / 1000;
  }

  #fill(now: number): number | undefined {
    const rate = this.rate(now);
    const since = Math.max(0, now - (this.#filledAt ?? now - BURST_MS));
    this.#filledAt = now;
    if (rate !== undefined) this.#bytes = Math.min(this.#burst(rate), this.#bytes + (rate * since) / 1000);
    return rate;
  }
}
