/** Calls that need a state, collected while expressions are bound: each distinct one gets a slot. */
import { type Bound, canonical } from '../compile/bound.ts';
import type { DataType } from '../data-type.ts';
import type { AggregateFunction, AnalyticFunction } from '../functions/specification.ts';
import type { Value } from '../value.ts';

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
  readonly #analyticTexts: string[] = [];
  readonly #aggregateTexts: string[] = [];
  /** Of the columns of SELECT, as far as they are bound. */
  readonly outputTexts: string[] = [];

  canonical(bound: Bound): string {
    return canonical(bound, {
      analytic: this.#analyticTexts,
      aggregates: this.#aggregateTexts,
      outputs: this.outputTexts,
    });
  }

  addAnalytic(draft: Omit<AnalyticDraft, 'slot'>): AnalyticDraft {
    const { of, level, args, names, partition, when } = draft;
    const condition = when === undefined ? null : this.canonical(when);
    const text = JSON.stringify([
      of.name,
      level,
      args.map((arg) => this.canonical(arg)),
      names,
      partition.map((by) => this.canonical(by)),
      condition,
    ]);
    const known = this.analytic[this.#analyticTexts.indexOf(text)];
    if (known !== undefined) return known;
    const added = { ...draft, slot: this.analytic.length };
    this.analytic.push(added);
    this.#analyticTexts.push(text);
    return added;
  }

  addAggregate(draft: Omit<AggregateDraft, 'slot'>): AggregateDraft {
    const { of, argument, literals, filter } = draft;
    const parts = [argument, filter].map((part) => (part === undefined ? '*' : this.canonical(part)));
    const text = JSON.stringify([of.name, parts, literals.map(String)]);
    const known = this.aggregates[this.#aggregateTexts.indexOf(text)];
    if (known !== undefined) return known;
    const added = { ...draft, slot: this.aggregates.length };
    this.aggregates.push(added);
    this.#aggregateTexts.push(text);
    return added;
  }

  analyticText(slot: number): string {
    return this.#analyticTexts[slot] ?? '';
  }

  aggregateText(slot: number): string {
    return this.#aggregateTexts[slot] ?? '';
  }
}
