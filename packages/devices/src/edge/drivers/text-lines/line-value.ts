/** Which lines have a property, and where in them it is; what writes it. Pure. */
import type { RawValue } from '../../../values/encoding.ts';
import type { Point } from '../../driver.ts';
import { DriverError } from '../../driver-error.ts';
import { pointPattern } from '../../point-pattern.ts';

export interface LineValue {
  /** Without it, the device sends by itself. */
  readonly request: string | undefined;
  /** The value, or undefined when the line has none. */
  readonly valueIn: (line: string) => string | undefined;
}

/** Throws `Misconfigured`. */
export function lineValue({ address, property }: Point, separator: string): LineValue {
  const { request, match, field } = address;
  const pattern = match === undefined ? undefined : pointPattern(String(match), property);
  const at = field === undefined ? undefined : Number(field) - 1;
  return {
    request: request === undefined ? undefined : String(request),
    valueIn: (line) => {
      const value = pattern === undefined ? line : pattern.valueIn(line);
      if (at === undefined || value === undefined) return value?.trim();
      return line.split(separator)[at]?.trim();
    },
  };
}

export interface LineWrite {
  readonly text: string;
  readonly isAcknowledgement: ((line: string) => boolean) | undefined;
}

/** The end of a line within a value would begin another one: what is written is one line and no more. */
const CONTROL = /\p{Cc}/u;

/** Throws a DriverError. */
export function lineWrite({ address, property }: Point, value: RawValue): LineWrite {
  const { write, acknowledge } = address;
  if (write === undefined)
    throw new DriverError('Rejected', `${property} has no address.write, so it cannot be written`);
  if (typeof value === 'object') throw new DriverError('Unsupported', `${property} has a value that is no text`);
  const text = typeof value === 'boolean' ? (value ? '1' : '0') : String(value);
  if (CONTROL.test(text)) throw new DriverError('Rejected', `the value for ${property} has control characters`);
  const pattern = acknowledge === undefined ? undefined : pointPattern(String(acknowledge), property);
  return {
    text: String(write).replaceAll('{value}', () => text),
    isAcknowledgement: pattern === undefined ? undefined : (line) => pattern.test(line),
  };
}
