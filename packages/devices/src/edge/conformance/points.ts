import { compileCodec } from '../../values/codec.ts';
import type { Encoding } from '../../values/encoding.ts';
import { parseValueType } from '../../values/value-type.ts';
import type { Point } from '../driver.ts';

/** A point as the worker makes it of a visitor. */
export function pointOf(
  property: string,
  type: string,
  address: Readonly<Record<string, unknown>>,
  encoding: Encoding = {},
): Point {
  const valueType = parseValueType(type);
  if (typeof valueType === 'string') throw new TypeError(`type ${type} ${valueType}`);
  return { property, address, type: valueType, encoding, size: compileCodec(valueType, undefined, encoding).size };
}
