/** Functions between types and encodings. */
import { Buffer } from 'node:buffer';
import {
  deflateRawSync,
  deflateSync,
  gunzipSync,
  gzipSync,
  inflateRawSync,
  inflateSync,
  zstdCompressSync,
  zstdDecompressSync,
} from 'node:zlib';
import { narrow } from '../compile/integers.ts';
import { ANY, BIGINT, BOOLEAN, BYTEA, DATETIME, type DataType, FLOAT, STRING } from '../data-type.ts';
import { nearest } from '../nearest.ts';
import { RowError } from '../sql-error.ts';
import type { EvalContext, Value } from '../value.ts';
import { describe, toText } from '../values.ts';
import { any, bytes, integer, literal, number, string, toDate } from './parameters.ts';
import { ArgumentProblem, prepared, type ScalarCall, type ScalarFunction, scalar } from './specification.ts';

/** Compressed data says not how large it becomes; more than this it must not. */
const MAX_DECOMPRESSED = 16 * 1024 * 1024;
const MAX_DECIMALS = 34;

const CAST = [any('value'), literal(string('type'))] as const;
const METHOD = [bytes('data'), literal(string('method'))] as const;
const ENCODING = [bytes('data'), literal(string('encoding'))] as const;

type Cast = (value: NonNullable<Value>, context: EvalContext) => Value;

const CASTS: Readonly<Record<string, { readonly type: DataType; readonly cast: Cast }>> = {
  bigint: { type: BIGINT, cast: toBigint },
  float: { type: FLOAT, cast: toFloat },
  string: { type: STRING, cast: toText },
  boolean: { type: BOOLEAN, cast: toBoolean },
  datetime: { type: DATETIME, cast: (value, context) => toDate(value, context) ?? impossible(value, 'datetime') },
  bytea: { type: BYTEA, cast: toBytes },
};

const ENCODINGS: Readonly<Record<string, 'base64' | 'hex'>> = { base64: 'base64', hex: 'hex' };

interface Codec {
  readonly compress: (data: Uint8Array) => Uint8Array;
  readonly decompress: (data: Uint8Array) => Uint8Array;
}

const LIMIT = { maxOutputLength: MAX_DECOMPRESSED };

const METHODS: Readonly<Record<string, Codec>> = {
  zlib: { compress: (data) => deflateSync(data), decompress: (data) => inflateSync(data, LIMIT) },
  gzip: { compress: (data) => gzipSync(data), decompress: (data) => gunzipSync(data, LIMIT) },
  flate: { compress: (data) => deflateRawSync(data), decompress: (data) => inflateRawSync(data, LIMIT) },
  zstd: { compress: (data) => zstdCompressSync(data), decompress: (data) => zstdDecompressSync(data, LIMIT) },
};

export const CONVERSION: readonly ScalarFunction[] = [
  scalar(
    'conversion',
    'cast',
    CAST,
    (_, [, type]) => CASTS[String(type).toLowerCase()]?.type ?? ANY,
    'The value as "bigint", "float", "string", "boolean", "datetime" or "bytea".',
    (value, type, context) => known(CASTS, type).cast(value, context),
    { prepare: ([, type]) => (typeof type === 'string' ? castCall(castTo(type)) : undefined) },
  ),
  scalar('conversion', 'chr', [integer('code')], STRING, 'The character with that code.', (code) => {
    if (code < 0 || code > 0x10ffff) throw new RowError(`chr: there is no character ${code}`);
    return String.fromCodePoint(code);
  }),
  scalar(
    'conversion',
    'compress',
    METHOD,
    BYTEA,
    'The data compressed with "zlib", "gzip", "flate" or "zstd".',
    (data, method) => known(METHODS, method).compress(data),
    { prepare: checked(METHODS, 1) },
  ),
  scalar(
    'conversion',
    'decompress',
    METHOD,
    BYTEA,
    'What was compressed with "zlib", "gzip", "flate" or "zstd", at most 16 MiB.',
    (data, method) => decompress(known(METHODS, method), data, method),
    { prepare: checked(METHODS, 1) },
  ),
  scalar(
    'conversion',
    'dec2hex',
    [integer('x')],
    STRING,
    'The number as a hexadecimal one, with 0x before it.',
    (x) => `0x${BigInt.asUintN(64, BigInt(x)).toString(16)}`,
  ),
  scalar(
    'conversion',
    'hex2dec',
    [string('text')],
    BIGINT,
    'The number that a hexadecimal one stands for, with or without 0x.',
    (text) => {
      const digits = text.replace(/^0x/i, '');
      if (!/^[0-9a-f]{1,16}$/i.test(digits)) throw new RowError(`hex2dec: ${describe(text)} is not hexadecimal`);
      return narrow(BigInt.asIntN(64, BigInt(`0x${digits}`)));
    },
  ),
  scalar(
    'conversion',
    'decode',
    [string('text'), literal(string('encoding'))],
    BYTEA,
    'The bytes that text in "base64" or "hex" stands for.',
    (text, encoding) => {
      const name = known(ENCODINGS, encoding);
      const data = Buffer.from(text, name);
      if (data.toString(name).replaceAll('=', '').toLowerCase() !== text.replaceAll('=', '').toLowerCase()) {
        throw new RowError(`decode: ${describe(text)} is not ${encoding}`);
      }
      return new Uint8Array(data);
    },
    { prepare: checked(ENCODINGS, 1) },
  ),
  scalar(
    'conversion',
    'encode',
    ENCODING,
    STRING,
    'The data as text in "base64" or "hex".',
    (data, encoding) => Buffer.from(data).toString(known(ENCODINGS, encoding)),
    { prepare: checked(ENCODINGS, 1) },
  ),
  scalar(
    'conversion',
    'trunc',
    [number('x'), integer('digits')],
    FLOAT,
    'The number cut off after so many decimals.',
    (x, digits) => {
      const decimals = Math.min(Math.max(digits, 0), MAX_DECIMALS);
      return cutOff(x, decimals);
    },
  ),
];

function castCall(cast: Cast): ScalarCall {
  return prepared(CAST, (value, _, context) => cast(value, context));
}

function castTo(type: string): Cast {
  const target = CASTS[type.toLowerCase()];
  if (target === undefined) throw unknownWord(1, type, Object.keys(CASTS));
  return target.cast;
}

/** Finds a wrong word when the rule is planned; the call itself stays. */
function checked(
  table: Readonly<Record<string, unknown>>,
  index: number,
): (literals: readonly Value[]) => ScalarCall | undefined {
  return (literals) => {
    const word = literals[index];
    if (typeof word === 'string' && !Object.hasOwn(table, word)) throw unknownWord(index, word, Object.keys(table));
    return undefined;
  };
}

function unknownWord(index: number, word: string, allowed: readonly string[]): ArgumentProblem {
  const meant = nearest(word, allowed) ?? OTHER_TYPES[word.toLowerCase()];
  const fix = meant === undefined ? `write one of ${allowed.join(', ')}` : `write "${meant}"`;
  return new ArgumentProblem(index, `"${word}" is unknown here`, fix);
}

/** Types as other dialects call them. */
const OTHER_TYPES: Readonly<Record<string, string>> = {
  int: 'bigint',
  integer: 'bigint',
  long: 'bigint',
  int64: 'bigint',
  double: 'float',
  real: 'float',
  decimal: 'float',
  number: 'float',
  numeric: 'float',
  text: 'string',
  varchar: 'string',
  char: 'string',
  bool: 'boolean',
  timestamp: 'datetime',
  date: 'datetime',
  bytes: 'bytea',
  blob: 'bytea',
  binary: 'bytea',
};

function known<T>(table: Readonly<Record<string, T>>, word: string): T {
  const entry = Object.hasOwn(table, word) ? table[word] : undefined;
  if (entry === undefined) throw new RowError(`"${word}" is not one of ${Object.keys(table).join(', ')}`);
  return entry;
}

function impossible(value: Value, type: string): never {
  throw new RowError(`${describe(value)} cannot be a ${type}`);
}

/** With no more digits than a bigint, and then some zeros, can have: reading digits takes time. */
const WHOLE = /^\s{0,9}[+-]?\d{1,40}\s{0,9}$/;

function toBigint(value: NonNullable<Value>): Value {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (value instanceof Date) return value.getTime();
  if (typeof value === 'string' && WHOLE.test(value)) return narrow(BigInt(value.trim().replace(/^\+/, '')));
  const plain = typeof value === 'string' ? numberOf(value) : value;
  if (typeof plain !== 'number' || !Number.isFinite(plain)) return impossible(value, 'bigint');
  const whole = Math.trunc(plain) + 0;
  return Number.isSafeInteger(whole) ? whole : narrow(BigInt(whole));
}

function toFloat(value: NonNullable<Value>): Value {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (value instanceof Date) return value.getTime();
  const plain = typeof value === 'string' ? numberOf(value) : Number.NaN;
  return Number.isNaN(plain) ? impossible(value, 'float') : plain;
}

function numberOf(text: string): number {
  return text.trim() === '' ? Number.NaN : Number(text);
}

function toBoolean(value: NonNullable<Value>): Value {
  if (typeof value === 'boolean') return value;
  if (typeof value === 'number' || typeof value === 'bigint') return Number(value) !== 0;
  const word = typeof value === 'string' ? value.trim().toLowerCase() : '';
  if (['true', 't', '1'].includes(word)) return true;
  return ['false', 'f', '0'].includes(word) ? false : impossible(value, 'boolean');
}

function toBytes(value: NonNullable<Value>): Value {
  if (value instanceof Uint8Array) return value;
  return typeof value === 'string' ? new Uint8Array(Buffer.from(value)) : impossible(value, 'bytea');
}

function decompress(codec: Codec, data: Uint8Array, method: string): Uint8Array {
  try {
    return new Uint8Array(codec.decompress(data));
  } catch (cause) {
    throw new RowError(`decompress: the data is not ${method}, or too large`, { cause });
  }
}

/** By its shortest decimal form, so that 0.29 with two decimals stays 0.29. */
function cutOff(x: number, decimals: number): number {
  if (!Number.isFinite(x) || Math.abs(x) >= 1e21) return x;
  const text = Math.abs(x) < 1e-6 ? x.toFixed(MAX_DECIMALS) : String(x);
  const point = text.indexOf('.');
  return point === -1 ? x : Number(text.slice(0, point + 1 + decimals)) + 0;
}
