/** What happens to each value of one property before anybody sees it. Pure: time comes in with the sample. */
import { parseDuration } from '@skerry/api/durations';
import { Quality } from '@skerry/streams/contract';
import type { Cleaning } from '../../resources/device.ts';
import type { Deadband, ModelProperty } from '../../resources/device-model.ts';
import { isSameValue, type Value } from '../../values/value.ts';
import { isNumeric, type ValueType } from '../../values/value-type.ts';
import { createFilter, type NumberFilter } from './filter.ts';

/** Why a value goes no further. */
export type DropReason = 'OutOfRange' | 'Duplicate' | 'Unchanged' | 'Deadband' | 'MinInterval' | 'Undecodable';

/** It goes on when its interval is over, unless another one comes before: see `due`. */
export type Held = 'Held';

/** Changed in place: a sample a value would cost more than all the rest. */
export interface Sample {
  value: Value;
  time: number;
  quality: number;
}

export interface Cleaner {
  /** Changes the sample to what goes on; or says why nothing does, for good or for now. `now`: this node's time. */
  clean(sample: Sample, now: number): DropReason | Held | undefined;
  /** There was no value. True when that is news. */
  fail(quality: number): boolean;
  /** The one held back, before its time: nothing newer will come for a while. */
  release(now: number): Sample | undefined;
  /** What goes on without a new sample: the one held back, once its interval is over; or the last value as stale, once. */
  due(now: number): Sample | undefined;
  /** So many were held back, and something newer came before they could go on. */
  readonly superseded: number;
}

export interface CleanedProperty extends Pick<ModelProperty, 'minimum' | 'maximum' | 'deadband'> {
  readonly valueType: ValueType;
}

export function createCleaner(property: CleanedProperty, cleaning: Cleaning = {}): Cleaner {
  return new PropertyCleaner(property, cleaning);
}

class PropertyCleaner implements Cleaner {
  readonly #isNumber: boolean;
  readonly #isBig: boolean;
  readonly #isWhole: boolean;
  readonly #minimum: number;
  readonly #maximum: number;
  readonly #outOfRange: Cleaning['outOfRange'];
  readonly #maxSkewMs: number | undefined;
  readonly #filter: NumberFilter | undefined;
  readonly #dedupe: boolean;
  readonly #changeOnly: boolean;
  readonly #threshold: ((last: number) => number) | undefined;
  readonly #minIntervalMs: number;
  readonly #staleAfterMs: number | undefined;

  /** What went on last, and when it came by this node's time. */
  #last: Value | undefined;
  #lastTime = Number.NaN;
  #lastQuality: number | undefined;
  #cameAt = Number.NEGATIVE_INFINITY;
  #wentAt = Number.NEGATIVE_INFINITY;
  #isStale = false;
  #held: Sample | undefined;
  #superseded = 0;
  /** The last that came at all, for what repeats it. */
  #rawLast: Value | undefined;
  #rawTime = Number.NaN;

  constructor(property: CleanedProperty, cleaning: Cleaning) {
    const { valueType, minimum, maximum } = property;
    this.#isNumber = isNumeric(valueType);
    this.#isBig = valueType.kind === 'scalar' && valueType.scalar.endsWith('int64');
    this.#isWhole = valueType.kind === 'scalar' && /^u?int/.test(valueType.scalar);
    this.#minimum = minimum ?? Number.NEGATIVE_INFINITY;
    this.#maximum = maximum ?? Number.POSITIVE_INFINITY;
    this.#outOfRange = cleaning.outOfRange ?? 'Flag';
    this.#maxSkewMs = durationOf(cleaning.maxClockSkew);
    this.#filter = cleaning.filter === undefined ? undefined : createFilter(cleaning.filter);
    this.#dedupe = cleaning.dedupe ?? true;
    this.#changeOnly = cleaning.changeOnly ?? false;
    this.#threshold = thresholdOf(cleaning.deadband ?? property.deadband, property);
    this.#minIntervalMs = durationOf(cleaning.minInterval) ?? 0;
    this.#staleAfterMs = durationOf(cleaning.staleAfter);
  }

  get superseded(): number {
    return this.#superseded;
  }

  clean(sample: Sample, now: number): DropReason | Held | undefined {
    this.#followClock(now);
    if (this.#maxSkewMs !== undefined && Math.abs(sample.time - now) > this.#maxSkewMs) sample.time = now;
    if (this.#isRepeated(sample)) {
      // The device answers, though it has nothing new to say.
      if (!this.#isStale) this.#cameAt = now;
      return 'Duplicate';
    }
    if (this.#isNumber) {
      if (!this.#checkRange(sample)) return 'OutOfRange';
      this.#smooth(sample);
    }
    const reason = this.#judge(sample, now);
    this.#cameAt = now;
    // Also by one that is no news: the value is back where everybody believes it to be.
    this.#supersede();
    if (reason === 'Held') this.#held = { ...sample };
    if (reason === undefined) this.#goOn(sample, now);
    return reason;
  }

  fail(quality: number): boolean {
    this.#supersede();
    const isNews = this.#lastQuality !== quality;
    this.#lastQuality = quality;
    // There is nothing that could grow staler.
    this.#isStale = true;
    return isNews;
  }

  release(now: number): Sample | undefined {
    const held = this.#held;
    this.#held = undefined;
    if (held !== undefined) this.#goOn(held, now);
    return held;
  }

  due(now: number): Sample | undefined {
    this.#followClock(now);
    const isDue = this.#held !== undefined && now - this.#wentAt >= this.#minIntervalMs;
    return isDue ? this.release(now) : this.#stale(now);
  }

  /** One that was set back: nothing has come, or gone on, later than now. */
  #followClock(now: number): void {
    this.#cameAt = Math.min(this.#cameAt, now);
    this.#wentAt = Math.min(this.#wentAt, now);
  }

  #stale(now: number): Sample | undefined {
    if (this.#staleAfterMs === undefined || this.#last === undefined || this.#isStale) return undefined;
    if (now - this.#cameAt <= this.#staleAfterMs) return undefined;
    // The one held back is the last that is known; it goes on as what it is by now.
    this.release(now);
    this.#isStale = true;
    this.#lastQuality = Quality.stale;
    return { value: this.#last, time: this.#lastTime, quality: Quality.stale };
  }

  #goOn({ value, time, quality }: Sample, now: number): void {
    this.#last = value;
    this.#lastTime = time;
    this.#lastQuality = quality;
    this.#wentAt = now;
    this.#isStale = false;
  }

  #supersede(): void {
    if (this.#held !== undefined) this.#superseded++;
    this.#held = undefined;
  }

  #isRepeated({ value, time }: Sample): boolean {
    if (!this.#dedupe) return false;
    const isRepeated = time === this.#rawTime && this.#rawLast !== undefined && isSameValue(value, this.#rawLast);
    this.#rawLast = value;
    this.#rawTime = time;
    return isRepeated;
  }

  /** False: the value is to be dropped. */
  #checkRange(sample: Sample): boolean {
    const number = Number(sample.value);
    if (number >= this.#minimum && number <= this.#maximum) return true;
    switch (this.#outOfRange) {
      case 'Drop':
        return false;
      case 'Clamp':
        sample.value = this.#numberAs(Math.min(this.#maximum, Math.max(this.#minimum, number)));
        sample.quality = Quality.outOfRange;
        return true;
      case 'Keep':
        return true;
      default:
        sample.quality = Quality.outOfRange;
        return true;
    }
  }

  #smooth(sample: Sample): void {
    if (this.#filter !== undefined) sample.value = this.#numberAs(this.#filter.next(Number(sample.value)));
  }

  #numberAs(number: number): Value {
    if (this.#isBig) return BigInt(Math.round(number));
    return this.#isWhole ? Math.round(number) : number;
  }

  #judge({ value, quality }: Sample, now: number): DropReason | Held | undefined {
    // How far a value can be trusted is always news.
    if (this.#last === undefined || quality !== this.#lastQuality || this.#isStale) return undefined;
    if (this.#changeOnly && isSameValue(value, this.#last)) return 'Unchanged';
    if (this.#threshold !== undefined && this.#isNumber) {
      const last = Number(this.#last);
      const change = Math.abs(Number(value) - last);
      // NaN, in either of them, is never below.
      if (change < this.#threshold(last)) return 'Deadband';
    }
    return now - this.#wentAt < this.#minIntervalMs ? 'Held' : undefined;
  }
}

function durationOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseDuration(text);
}

/** The change that is news, by the value before; none where every change is. */
export function thresholdOf(
  deadband: Deadband | undefined,
  { minimum, maximum }: Pick<CleanedProperty, 'minimum' | 'maximum'>,
): ((last: number) => number) | undefined {
  if (deadband === undefined) return undefined;
  const { absolute = 0, percent = 0 } = deadband;
  const part = percent / 100;
  if (minimum !== undefined && maximum !== undefined) {
    const fixed = Math.max(absolute, part * (maximum - minimum));
    return () => fixed;
  }
  return (last) => Math.max(absolute, part * Math.abs(last));
}
