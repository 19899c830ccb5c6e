/** Which plan is whose: that of the store, or one of its own that a series has. */
import type { SeriesId } from '../contract/index.ts';
import type { Labels, OwnRetention, RetentionPlan } from './contract.ts';

export class Keeping {
  /** Of series without a plan of their own. */
  readonly plan: RetentionPlan;
  readonly #own: OwnRetention | undefined;
  readonly #labelsOf: (series: SeriesId) => Labels | undefined;
  readonly #found = new Map<SeriesId, RetentionPlan>();

  constructor(
    { plan, own }: { readonly plan: RetentionPlan; readonly own?: OwnRetention | undefined },
    labelsOf: (series: SeriesId) => Labels | undefined,
  ) {
    this.plan = plan;
    this.#own = own;
    this.#labelsOf = labelsOf;
  }

  /** All series have the same plan. */
  get isCommon(): boolean {
    return this.#own === undefined;
  }

  planOf(series: SeriesId): RetentionPlan {
    if (this.#own === undefined) return this.plan;
    const known = this.#found.get(series);
    if (known !== undefined) return known;
    const labels = this.#labelsOf(series);
    const plan = (labels && this.#own(labels)) ?? this.plan;
    this.#found.set(series, plan);
    return plan;
  }
}
