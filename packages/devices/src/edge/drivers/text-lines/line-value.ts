/** Which lines have a property, and where in them it is; what writes it. Pure. */
import type { RawValue } from '../../../values/encoding.ts';
import type { Point } from '../../driver.ts';
import { DriverError } from '../../driver-error.ts';

export interface LineValue {
  /** Without it, the device sends by itself. */
  readonly request: string | undefined;
  /** The value, or undefined when the line has none. */
  readonly valueIn: (line: string) => string | undefined;
}

/** Throws `Misconfigured`. */
export function lineValue({ address, property }: Point, separator: string): LineValue {
  const { request, match, field } = address;
  const expression = match === undefined ? undefined : compile(String(match), property);
  const inLine = (line: string): string | undefined => {
    if (expression === undefined) return line;
    const found = expression.exec(line);
    return found === null ? undefined : (found.groups?.['value'] ?? found[1] ?? found[0]);
  };
  const at = field === undefined ? undefined : Number(field) - 1;
  return {
    request: request === undefined ? undefined : String(request),
    valueIn: (line) => {
      const value = inLine(line);
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
  const expression = acknowledge === undefined ? undefined : compile(String(acknowledge), property);
  return {
    text: String(write).replaceAll('{value}', () => text),
    isAcknowledgement: expression === undefined ? undefined : (line) => expression.test(line),
  };
}

function compile(text: string, property: string): RegExp {
  try {
    return new RegExp(text, 'u');
  } catch (cause) {
    throw new DriverError('Misconfigured', `the regular expression of ${property} is none: ${text}`, { cause });
  }
}
