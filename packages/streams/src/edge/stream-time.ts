/** What a rule knows of the time of one of its streams: of its last row, and how long it has been silent. */
import type { Clock } from '@skerry/base';
import { isTimedByArrival, millisecondsOf, timingOf } from '../engine/rule/prepare.ts';
import type { RuleSpec } from '../kinds/rule.ts';
import type { StreamSpec } from '../kinds/stream.ts';
import { isReadAlone } from './sources/open-source.ts';

export interface StreamTimeOptions {
  readonly rule: RuleSpec;
  readonly name: string;
  readonly spec: StreamSpec | undefined;
  readonly clock: Clock;
  /** As `lastTime` was. */
  readonly lastTime: number | undefined;
}

const DEFAULT_IDLE_MS = 10_000;

export class StreamTime {
  readonly name: string;
  readonly spec: StreamSpec | undefined;
  /** Its rows are of when they come. */
  readonly isClocked: boolean;
  /** Its watermark goes on with the clock while it is silent: nothing of it can be had again from a position. */
  readonly isLive: boolean;
  readonly #clock: Clock;
  readonly #idleAfterMs: number;
  readonly #outOfOrderMs: number;
  #lastTime: number | undefined;
  #lastArrival: number;

  constructor({ rule, name, spec, clock, lastTime }: StreamTimeOptions) {
    this.name = name;
    this.spec = spec;
    this.#clock = clock;
    this.isClocked = isTimedByArrival(rule, spec);
    this.isLive = !this.isClocked && spec !== undefined && !isReadAlone(spec) && spec.source.rule === undefined;
    this.#idleAfterMs = millisecondsOf(spec?.watermark?.idleAfter, DEFAULT_IDLE_MS);
    this.#outOfOrderMs = timingOf(rule, spec).outOfOrderMs;
    this.#lastTime = lastTime;
    this.#lastArrival = clock.monotonic();
  }

  /** Of the newest row. */
  get lastTime(): number | undefined {
    return this.#lastTime;
  }

  saw(time: number): void {
    if (this.#lastTime === undefined || time > this.#lastTime) this.#lastTime = time;
    this.#lastArrival = this.#clock.monotonic();
  }

  /** Before what its time goes on to while it is silent; `idle` where there never was a row; undefined while it is not silent. */
  get silence(): number | 'idle' | undefined {
    const silentMs = this.#clock.monotonic() - this.#lastArrival;
    if (silentMs < this.#idleAfterMs) return undefined;
    return this.#lastTime === undefined ? 'idle' : this.#lastTime + silentMs - this.#outOfOrderMs;
  }

  /** What was seen was of a clock that was wrong. */
  setBack(time: number): void {
    if (this.#lastTime !== undefined) this.#lastTime = Math.min(this.#lastTime, time);
  }
}
