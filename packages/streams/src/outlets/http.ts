/** JSON to any HTTP server: one document of all rows, or a line a row. */
import { openHttpDoor } from './http-post.ts';
import { choiceOption } from './options.ts';
import type { OutletRows, OutletTarget, TargetSettings } from './target.ts';
import { isoOf, plainOf, Tally } from './values.ts';

export interface JsonRow {
  readonly time: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: unknown;
  readonly quality: number;
}

const FORMATS = { json: 'application/json', ndjson: 'application/x-ndjson' } as const;

/** Options: `format`, `json` (an array) or `ndjson`. */
export function httpTarget(settings: TargetSettings): OutletTarget {
  const format = choiceOption(settings.options, 'format', ['json', 'ndjson']) ?? 'json';
  const headers = { ...settings.headers, 'content-type': FORMATS[format] };
  const door = openHttpDoor(settings);
  return {
    send: async (rows, signal) => {
      const tally = new Tally();
      const all = rows.flatMap((one) => jsonRows(one, tally));
      const text = format === 'json' ? JSON.stringify(all) : all.map((row) => `${JSON.stringify(row)}\n`).join('');
      if (all.length > 0) await door.post({ url: settings.endpoint, headers, body: Buffer.from(text), signal });
      return tally.result();
    },
    close: () => door.close(),
  };
}

/** Every row, also those of bad quality: whoever reads it judges. */
export function jsonRows({ labels, type, rows }: OutletRows, tally: Tally): JsonRow[] {
  const found: JsonRow[] = [];
  for (let index = 0; index < rows.length; index++) {
    const value = plainOf(rows.boxed?.get(index) ?? rows.values[index] ?? Number.NaN, type);
    found.push({ time: isoOf(rows.times[index] ?? 0), labels, value, quality: rows.qualities[index] ?? 0 });
  }
  tally.sent(found.length);
  return found;
}
