/** Messages that JSON shows as a scalar: times, quantities, numbers that may be strings. */
import { badRequest } from '../errors.ts';
import { parseJson } from '../json.ts';
import { BYTES, type Reader, Writer } from './wire.ts';

/** Whole seconds, or six places for MicroTime; undefined for the zero time, which is an empty message. */
export function readTime(reader: Reader, isMicro: boolean): string | undefined {
  if (reader.isAtEnd) return undefined;
  const { 1: seconds = 0, 2: nanos = 0 } = readIntegers(reader);
  const time = new Date(seconds * 1000);
  if (Number.isNaN(time.getTime())) return undefined;
  const whole = time.toISOString().slice(0, 19);
  return isMicro ? `${whole}.${String(Math.trunc(nanos / 1000)).padStart(6, '0')}Z` : `${whole}Z`;
}

export function writeTime(text: string): Uint8Array {
  const writer = new Writer();
  const seconds = Math.floor(Date.parse(text) / 1000);
  if (Number.isNaN(seconds)) throw badRequest(`parsing time ${JSON.stringify(text)} failed`);
  const fraction = /\.(\d{1,9})/.exec(text)?.[1] ?? '';
  writer.varintField(1, seconds);
  writer.varintField(2, Number(fraction.padEnd(9, '0')));
  return writer.finish();
}

/** Go prints `1h0m0s`; JSON of Kubernetes has that text. */
export function readDuration(reader: Reader): string {
  const { 1: nanos = 0 } = readIntegers(reader);
  const seconds = Math.abs(nanos) / 1e9;
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const head = hours > 0 ? `${hours}h${minutes}m` : minutes > 0 ? `${minutes}m` : '';
  return `${nanos < 0 ? '-' : ''}${head}${Number((seconds % 60).toFixed(9))}s`;
}

const UNITS: Readonly<Record<string, number>> = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 6e10, h: 3.6e12 };

export function writeDuration(text: string): Uint8Array {
  let nanos = 0;
  for (const [, amount, unit] of text.matchAll(/([\d.]+)(ns|us|\u00b5s|ms|s|m|h)/g))
    nanos += Number(amount) * (UNITS[unit ?? ''] ?? 0);
  const writer = new Writer();
  writer.varintField(1, Math.round(text.startsWith('-') ? -nanos : nanos));
  return writer.finish();
}

export function readIntOrString(reader: Reader): number | string {
  let isText = false;
  let number = 0;
  let text = '';
  while (!reader.isAtEnd) {
    const tag = reader.tag();
    if (tag === 8) isText = reader.int64() === 1;
    else if (tag === 16) number = reader.int64();
    else if (tag === 26) text = reader.string();
    else reader.skip(tag);
  }
  return isText ? text : number;
}

export function writeIntOrString(value: number | string): Uint8Array {
  const writer = new Writer();
  writer.varintField(1, typeof value === 'string' ? 1 : 0);
  writer.varintField(2, typeof value === 'number' ? value : 0);
  writer.stringField(3, typeof value === 'string' ? value : '');
  return writer.finish();
}

/** Quantity: its text in field 1. An empty message is zero. */
export function readQuantity(reader: Reader): string {
  return firstBytes(reader)?.toString('utf8') || '0';
}

export function writeQuantity(value: string | number): Uint8Array {
  const writer = new Writer();
  writer.stringField(1, String(value));
  return writer.finish();
}

/** JSON text in field 1; undefined when there is none. */
export function readRawJson(reader: Reader): unknown {
  const raw = firstBytes(reader);
  return raw === undefined || raw.length === 0 ? undefined : parseJson(raw).value;
}

export function writeRawJson(value: unknown): Uint8Array {
  const writer = new Writer();
  writer.stringField(1, JSON.stringify(value));
  return writer.finish();
}

/** ExtraValue: a list of strings that is a message, so that it can be a map's value. */
export function readStrings(reader: Reader): string[] {
  const items: string[] = [];
  while (!reader.isAtEnd) {
    const tag = reader.tag();
    if (tag === 10) items.push(reader.string());
    else reader.skip(tag);
  }
  return items;
}

export function writeStrings(items: readonly unknown[]): Uint8Array {
  const writer = new Writer();
  for (const item of items) writer.stringField(1, String(item));
  return writer.finish();
}

export function firstBytes(reader: Reader): Buffer | undefined {
  let found: Buffer | undefined;
  while (!reader.isAtEnd) {
    const tag = reader.tag();
    if (tag === 8 + BYTES) found = reader.bytes();
    else reader.skip(tag);
  }
  return found;
}

function readIntegers(reader: Reader): Readonly<Record<number, number>> {
  const found: Record<number, number> = {};
  while (!reader.isAtEnd) {
    const tag = reader.tag();
    if ((tag & 7) === 0) found[tag >>> 3] = reader.int64();
    else reader.skip(tag);
  }
  return found;
}
