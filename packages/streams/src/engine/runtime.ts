/** What all operators of a flow share: the context of its expressions, its bounds, and where losses and failures are counted. */
import type { EvalContext, Input } from '../sql/index.ts';

export interface Limits {
  /** Groups and partitions, all operators together. */
  readonly keys: number;
  /** Rows that are kept in windows, all operators together. */
  readonly windowRows: number;
}

export type DropReason = 'TooManyKeys' | 'WindowFull';

export interface RuntimeOptions {
  readonly context: EvalContext;
  readonly limits: Limits;
  /** A row that an expression could not work on; the flow goes on with the next one. */
  readonly onError: (operator: string, error: unknown) => void;
}

export class Runtime {
  readonly context: EvalContext;
  readonly dropped = new Map<DropReason, number>();
  /** What expressions work on, for those that ask what travelled beside it. */
  input: Input = {};
  readonly #limits: Limits;
  readonly #onError: (operator: string, error: unknown) => void;
  #keys = 0;
  #windowRows = 0;

  constructor({ context, limits, onError }: RuntimeOptions) {
    this.context = context;
    this.#limits = limits;
    this.#onError = onError;
  }

  get keys(): number {
    return this.#keys;
  }

  get windowRows(): number {
    return this.#windowRows;
  }

  /** Whether there is room for one more key; if not, the row is counted as dropped. */
  takeKey(): boolean {
    if (this.#keys >= this.#limits.keys) return this.drop('TooManyKeys');
    this.#keys++;
    return true;
  }

  releaseKeys(count: number): void {
    this.#keys -= count;
  }

  takeRow(): boolean {
    if (this.#windowRows >= this.#limits.windowRows) return this.drop('WindowFull');
    this.#windowRows++;
    return true;
  }

  releaseRows(count: number): void {
    this.#windowRows -= count;
  }

  /** False, so that it can be returned. */
  drop(reason: DropReason, rows = 1): false {
    this.dropped.set(reason, (this.dropped.get(reason) ?? 0) + rows);
    return false;
  }

  fail(operator: Counters, error: unknown): void {
    operator.errors++;
    this.#onError(operator.id, error);
  }
}

/** What explain shows beside an operator of the plan. */
export interface Counters {
  readonly id: string;
  readonly kind: string;
  readonly says: string;
  rowsIn: number;
  rowsOut: number;
  errors: number;
}

export function countersOf({
  id,
  kind,
  says,
}: {
  readonly id: string;
  readonly kind: string;
  readonly says: string;
}): Counters {
  return { id, kind, says, rowsIn: 0, rowsOut: 0, errors: 0 };
}
