/** Series as columns of a Parquet file: `time`, one a label, `value` for numbers, `text` for the rest, `quality`. */
import type { ColumnSource, SchemaElement } from 'hyparquet-writer';
import type { OutletRows } from './target.ts';
import { textOf } from './values.ts';

const OWN_COLUMNS: ReadonlySet<string> = new Set(['time', 'value', 'text', 'quality']);

/** A label that is called like another column is `label_NAME`. */
export function labelColumn(label: string): string {
  return OWN_COLUMNS.has(label) ? `label_${label}` : label;
}

/** Times are exact to the microsecond. */
export function schemaOf(labels: readonly string[]): SchemaElement[] {
  const fields: SchemaElement[] = [
    { name: 'time', type: 'INT64', converted_type: 'TIMESTAMP_MICROS', repetition_type: 'REQUIRED' },
    ...labels.map((label) => textField(labelColumn(label), 'REQUIRED')),
    { name: 'value', type: 'DOUBLE', repetition_type: 'OPTIONAL' },
    textField('text', 'OPTIONAL'),
    { name: 'quality', type: 'INT32', repetition_type: 'REQUIRED' },
  ];
  return [{ name: 'series', num_children: fields.length }, ...fields];
}

function textField(name: string, repetition: 'REQUIRED' | 'OPTIONAL'): SchemaElement {
  return { name, type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: repetition };
}

/** Of the schema for the same labels. `labels`: the names that have a column, also where no series has them. */
export function columnsOf(series: readonly OutletRows[], labels: readonly string[]): ColumnSource[] {
  const length = series.reduce((sum, { rows }) => sum + rows.length, 0);
  const times = new BigInt64Array(length);
  const values: (number | null)[] = [];
  const texts: (string | null)[] = [];
  const qualities = new Int32Array(length);
  const named = labels.map((): string[] => []);
  let at = 0;
  for (const { labels: own, type, rows } of series) {
    for (let row = 0; row < rows.length; row++) {
      const value = rows.boxed?.get(row) ?? rows.values[row] ?? Number.NaN;
      const isNumber = typeof value === 'number' || typeof value === 'bigint';
      times[at] = BigInt(Math.round((rows.times[row] ?? 0) * 1000));
      values.push(isNumber ? Number(value) : null);
      texts.push(isNumber ? null : textOf(value, type));
      qualities[at] = rows.qualities[row] ?? 0;
      for (const [index, label] of labels.entries()) named[index]?.push(own[label] ?? '');
      at += 1;
    }
  }
  return [
    { name: 'time', data: times },
    ...labels.map((label, index) => ({ name: labelColumn(label), data: named[index] ?? [] })),
    { name: 'value', data: values },
    { name: 'text', data: texts },
    { name: 'quality', data: qualities },
  ];
}
