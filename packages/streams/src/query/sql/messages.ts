/** What a query's process is told, and what it says. They cross as structured clones. */

import type { Exported } from './exported-files.ts';

/** Rows of one series: its values by the table's label columns, the rest in columns. */
export interface TableRows {
  readonly type: 'rows';
  readonly labels: readonly string[];
  /** Milliseconds since 1970. */
  readonly times: Float64Array;
  /** NaN where `texts` has something at the row. */
  readonly values: Float64Array;
  readonly texts: ReadonlyMap<number, string>;
  readonly qualities: Uint8Array;
}

export type ToQuery =
  | { readonly type: 'table'; readonly labels: readonly string[]; readonly exported: readonly Exported[] }
  | TableRows
  /** The table is whole: from now on nothing outside of the process is reached, but what was exported. */
  | { readonly type: 'run'; readonly sql: string; readonly maxRows: number };

export interface SqlColumn {
  readonly name: string;
  readonly type: string;
}

export interface SqlResult {
  readonly columns: readonly SqlColumn[];
  /** JSON: times and large integers as texts. */
  readonly rows: readonly (readonly unknown[])[];
  /** There was more than was asked for. */
  readonly isCut: boolean;
}

export type FromQuery =
  | ({ readonly type: 'result' } & SqlResult)
  | { readonly type: 'error'; readonly message: string };
