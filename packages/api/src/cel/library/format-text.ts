/** `'%d of %s'.format([…])`, as the strings library of CEL writes it. */
import { Duration, UnsignedInt } from '@marcbachmann/cel-js/evaluator';
import { CelFailure } from './functions.ts';

const CLAUSE = /%(?:\.(\d{1,3}))?([a-zA-Z%])/g;
const MAX_PRECISION = 100;

export function formatText(text: string, values: readonly unknown[]): string {
  let at = 0;
  const next = (): unknown => {
    if (at >= values.length) throw new CelFailure(`index ${at} out of range`);
    return values[at++];
  };
  return text.replace(CLAUSE, (clause, precision: string | undefined, verb: string) => {
    if (verb === '%') return '%';
    const digits = precision === undefined ? 6 : Math.min(Number(precision), MAX_PRECISION);
    return write(next(), verb, digits) ?? fail(`unrecognized formatting clause "${clause.slice(1)}"`);
  });
}

function fail(text: string): never {
  throw new CelFailure(text);
}

function write(value: unknown, verb: string, digits: number): string | undefined {
  switch (verb) {
    case 's':
      return asText(value);
    case 'd':
      return typeof value === 'number' ? asText(value) : `${integerOf(value)}`;
    case 'f':
      return numberOf(value).toFixed(digits);
    case 'e':
      return numberOf(value)
        .toExponential(digits)
        .replace(/e([+-])(\d)$/, 'e$10$2');
    case 'b':
      return typeof value === 'boolean' ? String(Number(value)) : integerOf(value).toString(2);
    case 'o':
      return integerOf(value).toString(8);
    case 'x':
      return hexOf(value);
    case 'X':
      return hexOf(value).toUpperCase();
    default:
      return undefined;
  }
}

function integerOf(value: unknown): bigint {
  if (typeof value === 'bigint') return value;
  if (value instanceof UnsignedInt) return value.value;
  throw new CelFailure('integer clause can only be used on integers');
}

function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : Number(integerOf(value));
}

function hexOf(value: unknown): string {
  if (typeof value === 'string') return Buffer.from(value).toString('hex');
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  return integerOf(value).toString(16);
}

/** As `string()` writes it; lists and maps with their parts. */
function asText(value: unknown): string {
  if (value === null) return 'null';
  if (value instanceof Date) return value.toISOString().replace(/\.000Z$/, 'Z');
  if (value instanceof Duration || value instanceof UnsignedInt) return value.toString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString();
  if (Array.isArray(value)) return `[${value.map(asText).join(', ')}]`;
  if (isPlain(value)) {
    const entries = Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1));
    return `{${entries.map(([key, each]) => `${key}: ${asText(each)}`).join(', ')}}`;
  }
  return String(value);
}

function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}
