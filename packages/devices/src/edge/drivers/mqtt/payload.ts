/** What a payload holds, and how a value becomes one. Pure. */
import * as cbor from 'cborg';
import type { Encoding, RawType, RawValue } from '../../../values/encoding.ts';
import { exactJsonText, parseExactJson } from '../../../values/exact-json.ts';
import type { ValueType } from '../../../values/value-type.ts';
import { bytesToWire } from '../../../values/wire.ts';
import { DriverError } from '../../driver-error.ts';
import { fieldAt } from '../../field-path.ts';

export type Format = 'Json' | 'Cbor' | 'Text' | 'Raw';

/** Throws a DriverError. */
export function parsePayload(payload: Uint8Array, format: Format): unknown {
  try {
    switch (format) {
      case 'Json':
        return parseExactJson(textOf(payload));
      case 'Cbor':
        return cbor.decode(payload);
      case 'Text':
        return textOf(payload);
      case 'Raw':
        return payload;
    }
  } catch (cause) {
    throw new DriverError('Malformed', `the payload is no ${NAMES[format]}`, { cause });
  }
}

const NAMES: Readonly<Record<Format, string>> = { Json: 'JSON', Cbor: 'CBOR', Text: 'text in UTF-8', Raw: 'bytes' };
const UTF8 = new TextDecoder('utf-8', { fatal: true });

function textOf(payload: Uint8Array): string {
  return UTF8.decode(payload);
}

/** Throws a DriverError when there is no such field. */
export function valueAt(parsed: unknown, path: string | undefined): RawValue {
  const value = fieldAt(parsed, path);
  if (value === undefined) throw new DriverError('Malformed', `the payload has no ${path}`);
  if (value === null) throw new DriverError('Malformed', `${path ?? 'the payload'} is null`);
  return value as RawValue;
}

export interface Written {
  readonly value: RawValue;
  readonly format: Format;
  readonly path: string | undefined;
  readonly type: ValueType;
  readonly encoding: Encoding;
}

/** Throws a DriverError when the format cannot hold it. */
export function makePayload({ value, format, path, type, encoding }: Written): Uint8Array {
  try {
    switch (format) {
      case 'Json':
        return new TextEncoder().encode(exactJsonText(nested(path, value)));
      case 'Cbor':
        return cbor.encode(nested(path, value));
      case 'Text':
        return value instanceof Uint8Array ? value : new TextEncoder().encode(plainText(value));
      case 'Raw':
        return value instanceof Uint8Array
          ? value
          : bytesToWire(value, type, encoding.type ?? rawTypeOf(type), encoding);
    }
  } catch (cause) {
    throw new DriverError('Rejected', `the value cannot be written as ${NAMES[format]}`, { cause });
  }
}

function nested(path: string | undefined, value: RawValue): unknown {
  if (path === undefined) return value;
  return path.split('.').reduceRight<unknown>((inner, step) => ({ [step]: inner }), value);
}

function plainText(value: RawValue): string {
  return typeof value === 'object' ? exactJsonText(value) : String(value);
}

function rawTypeOf(type: ValueType): RawType {
  if (type.kind === 'list') return rawTypeOf(type.items);
  if (type.kind === 'struct') return 'bytes';
  return type.scalar === 'datetime' ? 'int64' : type.scalar;
}
