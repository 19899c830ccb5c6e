/** What travels beside a row where no statement can name it, such as the topic of its message. */
import type { Input, Row } from '../sql/index.ts';

/** It stands at this key of the row. */
const META: unique symbol = Symbol('meta');

export type RowWithMeta = Row & { readonly [META]?: Row };

export function withMeta(row: Row, meta: Row): RowWithMeta {
  return Object.defineProperty(row, META, { value: meta, writable: true });
}

/** Of the row itself, or of that of a source in a joined one. */
export function metaOf(input: Input, source: number): Row | undefined {
  const row = Array.isArray(input) ? (input as readonly (Row | undefined)[])[source] : (input as Row);
  return (row as RowWithMeta | undefined)?.[META];
}

interface Kept<Of> {
  readonly of: Of;
  /** By the index of the source. */
  readonly metas: readonly (Row | undefined)[];
}

/** As it is kept on disk, where a symbol of a row would not be. What has nothing beside it stays as it is. */
export function packed<Of extends { readonly input: Input }>(of: Of): Of | Kept<Of> {
  const { input } = of;
  const metas = Array.isArray(input) ? input.map((_, source) => metaOf(input, source)) : [metaOf(input, 0)];
  return metas.some((meta) => meta !== undefined) ? { of, metas } : of;
}

export function unpacked<Of extends { readonly input: Input }>(kept: Of | Kept<Of>): Of {
  if (!('metas' in kept)) return kept;
  const { of, metas } = kept;
  const rows = (Array.isArray(of.input) ? of.input : [of.input]) as readonly (Row | undefined)[];
  for (const [source, meta] of metas.entries()) {
    const row = rows[source];
    if (row !== undefined && meta !== undefined) withMeta(row, meta);
  }
  return of;
}
