/** From what a driver tells to what is on the bus: decoded, cleaned, counted. One a device. */
import type { Clock } from '@skerry/base';
import { Quality } from '@skerry/streams/contract';
import type { DeviceCounters } from '../../resources/device-status.ts';
import { type Cleaner, createCleaner, type DropReason, type Sample } from '../cleaning/cleaner.ts';
import type { SampleSink } from '../driver.ts';
import { type DriverError, qualityOf } from '../driver-error.ts';
import type { PlannedPoint } from './device-plan.ts';
import type { Publisher } from './publisher.ts';

export interface PipelineContext {
  readonly clock: Clock;
  readonly publisher: Publisher;
  readonly points: readonly PlannedPoint[];
}

interface Stage {
  readonly planned: PlannedPoint;
  readonly cleaner: Cleaner;
  /** What is wrong with the property now, in words. */
  problem: string | undefined;
}

export class Pipeline {
  readonly #clock: Clock;
  readonly #publisher: Publisher;
  readonly #stages: ReadonlyMap<PlannedPoint, Stage>;
  /** One for all: a sample is over when the next one begins. */
  readonly #sample: Sample = { value: 0, time: 0, quality: 0 };
  readonly #dropped = new Map<DropReason | 'Lost', number>();
  #in = 0;
  #out = 0;
  #lastGoodAt: number | undefined;

  constructor({ clock, publisher, points }: PipelineContext) {
    this.#clock = clock;
    this.#publisher = publisher;
    this.#stages = new Map(
      points.map((planned) => [
        planned,
        { planned, cleaner: createCleaner(planned.property, planned.visitor.cleaning), problem: undefined },
      ]),
    );
  }

  /** A sink whose indices are those of `points`. */
  sinkFor(points: readonly PlannedPoint[]): SampleSink {
    const stages = points.flatMap((point) => this.#stages.get(point) ?? []);
    return {
      value: (index, raw, time, quality = Quality.good) => {
        const stage = stages[index];
        if (stage === undefined) return;
        this.#in++;
        const now = this.#clock.now();
        try {
          this.#sample.value = stage.planned.codec.decode(raw);
        } catch (error) {
          this.#drop('Undecodable');
          this.#markFailed(stage, `the value ${(error as Error).message}`, Quality.configurationError, now);
          return;
        }
        this.#sample.time = time ?? now;
        this.#sample.quality = quality;
        this.#pass(stage, now);
      },
      fail: (index, error) => {
        const stage = stages[index];
        if (stage !== undefined) this.#markFailed(stage, error.message, qualityOf(error), this.#clock.now());
      },
      lost: (count) => this.#drop('Lost', count),
    };
  }

  /** Nothing of these could be read. */
  failAll(points: readonly PlannedPoint[], error: DriverError): void {
    const now = this.#clock.now();
    for (const point of points) {
      const stage = this.#stages.get(point);
      if (stage !== undefined) this.#markFailed(stage, error.message, qualityOf(error), now);
    }
  }

  /** What has come is on the bus when this returns. */
  flush(): void {
    this.#publisher.flush();
  }

  /** Hands out what was held back and is due, and marks what has come for too long no more. */
  sweep(): void {
    const now = this.#clock.now();
    for (const { cleaner, planned } of this.#stages.values()) {
      this.#handOut(planned, cleaner.due(now));
    }
  }

  /** The first property that is out of order, and how many there are. */
  problem(): { readonly text: string; readonly count: number } | undefined {
    let first: string | undefined;
    let count = 0;
    for (const { planned, problem } of this.#stages.values()) {
      if (problem === undefined) continue;
      first ??= `${planned.property.name}: ${problem}`;
      count++;
    }
    return first === undefined ? undefined : { text: first, count };
  }

  /** When a good value last came. */
  get lastGoodAt(): number | undefined {
    return this.#lastGoodAt;
  }

  counters(): Pick<DeviceCounters, 'in' | 'out' | 'dropped'> {
    const superseded = this.#stages.values().reduce((sum, { cleaner }) => sum + cleaner.superseded, 0);
    const dropped = Object.fromEntries(this.#dropped);
    if (superseded > 0) dropped['MinInterval'] = superseded;
    return { in: this.#in, out: this.#out, dropped };
  }

  #pass(stage: Stage, now: number): void {
    stage.problem = undefined;
    this.#lastGoodAt = now;
    const reason = stage.cleaner.clean(this.#sample, now);
    if (reason === 'Held') return;
    if (reason !== undefined) {
      this.#drop(reason);
      return;
    }
    this.#out++;
    const { value, time, quality } = this.#sample;
    this.#publisher.add(stage.planned.series, time, value, quality);
  }

  #markFailed(stage: Stage, problem: string, quality: number, now: number): void {
    stage.problem = problem;
    // The last value before a cut is what everybody asks for after it.
    this.#handOut(stage.planned, stage.cleaner.release(now));
    if (!stage.cleaner.fail(quality)) return;
    this.#out++;
    this.#publisher.add(stage.planned.series, now, Number.NaN, quality);
  }

  #handOut({ series }: PlannedPoint, sample: Sample | undefined): void {
    if (sample === undefined) return;
    this.#out++;
    this.#publisher.add(series, sample.time, sample.value, sample.quality);
  }

  #drop(reason: DropReason | 'Lost', count = 1): void {
    this.#dropped.set(reason, (this.#dropped.get(reason) ?? 0) + count);
  }
}
