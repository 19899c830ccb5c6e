/** Rows and tiers become one value a step. */
import { counts, type Steps, TIERS } from './codec/tier.ts';
import type { Aggregate } from './contract.ts';
import type { Block, TierChoice } from './reading.ts';
import { MICROS, type Rows } from './rows.ts';

const SECOND = 1000 * MICROS;
/** Those of the tiers, the coarsest first. */
const WIDTHS = Object.values(TIERS).sort((left, right) => right - left);

/** In microseconds: the range, and how long a step is. */
export interface Stepping {
  readonly from: number;
  readonly to: number;
  readonly step: number;
  readonly aggregate: Aggregate;
}

/** Which tiers do for such steps: whole ones fit into a step, and none reaches over an end of the range that rows lie beyond. */
export function tiersFor({ from, to, step, aggregate }: Stepping): TierChoice {
  const isGrowth = aggregate === 'increase' || aggregate === 'rate';
  return {
    widths: WIDTHS.filter((width) => step % width === 0).map((width) => width / SECOND),
    fits: (seconds, first, last) => {
      const width = seconds * SECOND;
      return (from <= first || from % width === 0) && (last < to || to % width === 0);
    },
    isEnough: ({ falls }) => !isGrowth || falls !== undefined,
  };
}

type Column = 'counts' | 'sums' | 'firsts' | 'lasts' | 'mins' | 'maxes' | 'falls';

const NEEDED: Readonly<Record<Aggregate, readonly Column[]>> = {
  avg: ['counts', 'sums'],
  sum: ['sums'],
  count: ['counts'],
  min: ['mins'],
  max: ['maxes'],
  first: ['firsts'],
  last: ['lasts'],
  increase: ['firsts', 'lasts', 'falls'],
  rate: ['firsts', 'lasts', 'falls'],
};

export interface StepColumns {
  readonly times: number[];
  readonly values: number[];
}

/** Takes blocks by time. */
export class StepAggregator {
  readonly #range: Stepping;
  readonly #times: number[] = [];
  readonly #values: number[] = [];
  #start = Number.NEGATIVE_INFINITY;
  #end = Number.NEGATIVE_INFINITY;
  #isFirst = true;
  #count = 0;
  #sum = 0;
  #min = 0;
  #max = 0;
  #first = 0;
  /** Over all steps: growth goes from the last row of one to the first of the next. */
  #last = Number.NaN;
  #growth = 0;

  constructor(range: Stepping) {
    this.#range = range;
  }

  get length(): number {
    return this.#times.length;
  }

  /** Returns how many rows or steps it looked at. */
  add(block: Block): number {
    if (block.rows !== undefined) {
      this.#addRows(block.rows);
      return block.rows.length;
    }
    // A step that begins before the range is whole within it when its first row is.
    this.#addSteps(block.steps, block.first >= this.#range.from ? Number.NEGATIVE_INFINITY : this.#range.from);
    return block.steps.length;
  }

  /** Of steps that have rows. */
  finish(): StepColumns {
    this.#close();
    return { times: this.#times, values: this.#values };
  }

  #addRows({ length, times, values, qualities }: Rows): void {
    for (let row = 0; row < length; row++) {
      const value = values[row] ?? 0;
      if (!counts(value, qualities[row] ?? 0)) continue;
      const time = times[row] ?? 0;
      if (time >= this.#end) this.#open(time);
      if (this.#isFirst) this.#first = value;
      if (this.#isFirst || value < this.#min) this.#min = value;
      if (this.#isFirst || value > this.#max) this.#max = value;
      this.#isFirst = false;
      this.#count++;
      this.#sum += value;
      this.#grow(value);
      this.#last = value;
    }
  }

  /** Reads only the columns that the aggregate is made of. */
  #addSteps(steps: Steps, from: number): void {
    const needed = NEEDED[this.#range.aggregate];
    const column = (name: Column) =>
      (needed.includes(name) ? steps[name] : undefined) ?? new Float64Array(steps.length);
    const [rows, sums, mins, maxes] = [column('counts'), column('sums'), column('mins'), column('maxes')];
    const [firsts, lasts, falls] = [column('firsts'), column('lasts'), column('falls')];
    for (let step = 0; step < steps.length; step++) {
      const start = steps.starts[step] ?? 0;
      if (start < from || start >= this.#range.to) continue;
      if (start >= this.#end) this.#open(start);
      const first = firsts[step] ?? 0;
      const last = lasts[step] ?? 0;
      if (this.#isFirst) this.#first = first;
      this.#min = this.#isFirst ? (mins[step] ?? 0) : Math.min(this.#min, mins[step] ?? 0);
      this.#max = this.#isFirst ? (maxes[step] ?? 0) : Math.max(this.#max, maxes[step] ?? 0);
      this.#isFirst = false;
      this.#count += rows[step] ?? 0;
      this.#sum += sums[step] ?? 0;
      this.#grow(first);
      this.#growth += last - first + (falls[step] ?? 0);
      this.#last = last;
    }
  }

  #grow(value: number): void {
    if (!Number.isNaN(this.#last)) this.#growth += value >= this.#last ? value - this.#last : value;
  }

  #open(time: number): void {
    this.#close();
    this.#start = Math.floor(time / this.#range.step) * this.#range.step;
    this.#end = this.#start + this.#range.step;
    this.#isFirst = true;
    this.#count = 0;
    this.#sum = 0;
    this.#growth = 0;
  }

  #close(): void {
    if (this.#isFirst) return;
    this.#times.push(this.#start / MICROS);
    this.#values.push(this.#result());
  }

  #result(): number {
    switch (this.#range.aggregate) {
      case 'avg':
        return this.#sum / this.#count;
      case 'min':
        return this.#min;
      case 'max':
        return this.#max;
      case 'sum':
        return this.#sum;
      case 'count':
        return this.#count;
      case 'first':
        return this.#first;
      case 'last':
        return this.#last;
      case 'increase':
        return this.#growth;
      case 'rate':
        return (this.#growth * SECOND) / this.#range.step;
    }
  }
}
