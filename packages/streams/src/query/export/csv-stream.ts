/** Series as CSV (RFC 4180): `time`, one column a label, `value`, `quality`. */
import { setImmediate as turn } from 'node:timers/promises';
import { labelColumn } from '../../outlets/parquet-columns.ts';
import type { OutletRows } from '../../outlets/target.ts';
import { isoOf, textOf } from '../../outlets/values.ts';

export async function* csvStream(
  series: AsyncIterable<OutletRows>,
  labels: readonly string[],
): AsyncGenerator<Uint8Array> {
  yield lineOf(['time', ...labels.map(labelColumn), 'value', 'quality']);
  for await (const one of series) {
    yield rowsOf(one, labels);
    // Whoever else uses the process has its turn.
    await turn();
  }
}

function rowsOf({ labels: own, type, rows }: OutletRows, labels: readonly string[]): Uint8Array {
  const named = labels.map((label) => `${fieldOf(own[label] ?? '')},`).join('');
  let text = '';
  for (let row = 0; row < rows.length; row++) {
    const value = rows.boxed?.get(row) ?? rows.values[row] ?? Number.NaN;
    const written = typeof value === 'number' && !Number.isFinite(value) ? String(value) : textOf(value, type);
    text += `${isoOf(rows.times[row] ?? 0)},${named}${fieldOf(written)},${rows.qualities[row] ?? 0}\r\n`;
  }
  return Buffer.from(text);
}

function lineOf(fields: readonly string[]): Uint8Array {
  return Buffer.from(`${fields.map(fieldOf).join(',')}\r\n`);
}

function fieldOf(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
