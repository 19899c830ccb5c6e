/** How a protocol holds a value: what a visitor says of it, and what a driver reads and writes. */
import { SCALAR_TYPES, type ScalarType } from './value-type.ts';

/** Of scalars, and binary-coded decimals of 4 and 8 digits. */
export type RawType = Exclude<ScalarType, 'datetime'> | 'bcd16' | 'bcd32';

export const RAW_TYPES: readonly RawType[] = [...SCALAR_TYPES.filter((type) => type !== 'datetime'), 'bcd16', 'bcd32'];

/** `visitors[].encoding` of a Device. */
export interface Encoding {
  /** How the protocol holds it; the property's own type without it. */
  readonly type?: RawType;
  readonly byteOrder?: 'big' | 'little';
  readonly wordOrder?: 'big' | 'little';
  /** Bytes of a text or of bytes. */
  readonly length?: number;
  /** `0x00f0`: these bits, shifted down. */
  readonly bitMask?: string;
  readonly scale?: number;
  readonly offset?: number;
  /** Of `x`, after bits, scale and offset. */
  readonly expression?: string;
  /** Of `x`, the property's value, in the place of all steps but the bits. */
  readonly writeExpression?: string;
  /** Of the raw value; converted to the property's. */
  readonly unit?: string;
}

/** What a driver reads and writes: bytes in the order of the wire, or what a typed protocol has already made of them. */
export type RawValue =
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly RawValue[]
  | { readonly [field: string]: RawValue };
