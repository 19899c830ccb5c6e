/** Calls that need a state, collected while expressions are bound: each distinct one gets a slot. */
import { type Bound, canonical } from '../compile/bound.ts';
import type { DataType } from '../data-type.ts';
import type { AggregateFunction, AnalyticFunction } from '../functions/specification.ts';
import type { Value } from '../value.ts';
import { idOf } from './ids.ts';

export type Level = 'row' | 'group';

export interface AnalyticDraft {
  readonly of: AnalyticFunction;
  readonly slot: number;
  readonly level: Level;
  readonly args: readonly Bound[];
  /** Of `changed_cols`: what its columns are called; undefined for `*`. */
  readonly names: readonly (string | undefined)[];
  readonly partition: readonly Bound[];
  readonly when: Bound | undefined;
  readonly type: DataType;
  readonly says: string;
}

export interface AggregateDraft {
  readonly of: AggregateFunction;
  readonly slot: number;
  /** Undefined for `*`. */
  readonly argument: Bound | undefined;
  readonly literals: readonly Value[];
  readonly filter: Bound | undefined;
  readonly type: DataType;
  readonly says: string;
}

export class Drafts {
  readonly analytic: AnalyticDraft[] = [];
  readonly aggregates: AggregateDraft[] = [];
  readonly #analyticDigests: string[] = [];
  readonly #aggregateDigests: string[] = [];
  /** Of the columns of SELECT, as far as they are bound. */
  readonly outputDigests: string[] = [];

  /** Short, however much an expression refers to: what it refers to is in it as its own digest. */
  digest(bound: Bound): string {
    const texts = { analytic: this.#analyticDigests, aggregates: this.#aggregateDigests, outputs: this.outputDigests };
    return idOf('expression', canonical(bound, texts));
  }

  addAnalytic(draft: Omit<AnalyticDraft, 'slot'>): AnalyticDraft {
    const { of, level, args, names, partition, when } = draft;
    const condition = when === undefined ? null : this.digest(when);
    const digest = idOf(
      'call',
      of.name,
      level,
      args.map((arg) => this.digest(arg)),
      names,
      partition.map((by) => this.digest(by)),
      condition,
    );
    const known = this.analytic[this.#analyticDigests.indexOf(digest)];
    if (known !== undefined) return known;
    const added = { ...draft, slot: this.analytic.length };
    this.analytic.push(added);
    this.#analyticDigests.push(digest);
    return added;
  }

  addAggregate(draft: Omit<AggregateDraft, 'slot'>): AggregateDraft {
    const { of, argument, literals, filter } = draft;
    const parts = [argument, filter].map((part) => (part === undefined ? '*' : this.digest(part)));
    const digest = idOf('call', of.name, parts, literals.map(String));
    const known = this.aggregates[this.#aggregateDigests.indexOf(digest)];
    if (known !== undefined) return known;
    const added = { ...draft, slot: this.aggregates.length };
    this.aggregates.push(added);
    this.#aggregateDigests.push(digest);
    return added;
  }

  analyticDigest(slot: number): string {
    return this.#analyticDigests[slot] ?? '';
  }

  aggregateDigest(slot: number): string {
    return this.#aggregateDigests[slot] ?? '';
  }
}
