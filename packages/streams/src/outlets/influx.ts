/**
 * The line protocol over HTTP: InfluxDB 1 and 2, QuestDB, VictoriaMetrics.
 * https://docs.influxdata.com/influxdb/v1/write_protocols/line_protocol_reference/
 */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Boxed, Scalar } from '../contract/index.ts';
import type { StoredType } from '../store/index.ts';
import { openHttpDoor } from './http-post.ts';
import { nameOf } from './names.ts';
import { textOption } from './options.ts';
import type { OutletRows, OutletTarget, TargetSettings } from './target.ts';
import { type Converted, goodRows, isInteger, Tally, textOf } from './values.ts';

const compress = promisify(gzip);
const MAX_INT64 = 2n ** 63n - 1n;
const MIN_INT64 = -(2n ** 63n);

/** Options: `database` (version 1) or `organization` and `bucket` (version 2), `retentionPolicy`, `prefix`. */
export function influxTarget(settings: TargetSettings): OutletTarget {
  const prefix = textOption(settings.options, 'prefix') ?? '';
  const url = writeUrl(settings);
  const headers = { ...settings.headers, 'content-type': 'text/plain; charset=utf-8', 'content-encoding': 'gzip' };
  const door = openHttpDoor(settings);
  return {
    send: async (rows, signal) => {
      const tally = new Tally();
      const text = encodeLines(rows, { prefix, tally });
      if (text !== '') {
        await door.post({ url, headers, body: await compress(text), signal, tokenScheme: 'Token' });
      }
      return tally.result();
    },
    close: () => door.close(),
  };
}

function writeUrl({ endpoint, options }: TargetSettings): string {
  const bucket = textOption(options, 'bucket');
  const url = new URL(`${endpoint.replace(/\/$/, '')}${bucket === undefined ? '/write' : '/api/v2/write'}`);
  const parameters =
    bucket === undefined
      ? { db: textOption(options, 'database') ?? 'skerry', rp: textOption(options, 'retentionPolicy') }
      : { bucket, org: textOption(options, 'organization') };
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) url.searchParams.set(name, value);
  url.searchParams.set('precision', 'ns');
  return url.href;
}

export function encodeLines(
  rows: readonly OutletRows[],
  { prefix, tally }: { readonly prefix: string; readonly tally: Tally },
): string {
  let text = '';
  for (const one of rows) {
    const { name, labels } = nameOf(one.labels, prefix);
    const tags = labels.map(([label, value]) => `,${escapeTag(label)}=${escapeTag(value)}`).join('');
    const head = `${escapeMeasurement(name)}${tags} value=`;
    for (const { time, value } of goodRows(one, tally)) {
      const field = fieldOf(value, one.type);
      if ('dropped' in field) {
        tally.drop(field.dropped);
        continue;
      }
      text += `${head}${field.value} ${nanoseconds(time)}\n`;
      tally.sent();
    }
  }
  return text;
}

function fieldOf(value: Scalar | Boxed, type: StoredType): Converted<string> {
  if (typeof value === 'number') {
    if (type === 'bool') return { value: value === 0 ? 'f' : 't' };
    if (!Number.isFinite(value)) return { dropped: 'NotFinite' };
    return { value: isInteger(type) || type === 'datetime' ? `${Math.trunc(value)}i` : `${value}` };
  }
  if (typeof value === 'bigint') {
    return { value: value > MAX_INT64 || value < MIN_INT64 ? `${Number(value)}` : `${value}i` };
  }
  return { value: `"${textOf(value, type).replaceAll(/["\\]/g, '\\$&')}"` };
}

/** Milliseconds with fractions as nanoseconds: more digits than a number has. */
function nanoseconds(time: number): string {
  const whole = Math.floor(time);
  const fraction = Math.round((time - whole) * 1000) * 1000;
  return (BigInt(whole) * 1_000_000n + BigInt(fraction)).toString();
}

/** A line ends with a line feed, whatever stands before it: there is no way to write one in a name. */
function escapeMeasurement(name: string): string {
  return name.replaceAll(/[\r\n]/g, ' ').replaceAll(/[, ]/g, '\\$&');
}

/** A backslash at the end would escape what follows. */
function escapeTag(text: string): string {
  return text
    .replaceAll(/[\r\n]/g, ' ')
    .replaceAll(/[,= ]/g, '\\$&')
    .replace(/\\$/, '\\ ');
}
