/** Resource quantities: `100m`, `1.5Gi`, `2e3`. Exact to a billionth, as Kubernetes keeps them. */

export type QuantityFormat = 'DecimalSI' | 'BinarySI' | 'DecimalExponent';

export interface Quantity {
  /** The value in billionths. */
  readonly nano: bigint;
  readonly format: QuantityFormat;
}

const NANO = 1_000_000_000n;
const MILLI = 1_000_000n;
/** Kubernetes caps quantities here. */
const MAX_UNITS = 2n ** 63n - 1n;
/** Far more digits than any quantity has; keeps big integers from being a load. */
const MAX_LENGTH = 64;
const MAX_EXPONENT = 30;

const SHAPE = /^([+-]?)(\d*)(?:\.(\d*))?(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]|[eE][+-]?\d+)?$/;
const REGEX_TEXT = "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

const BINARY_SUFFIXES = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'] as const;
/** From 10⁻⁹ up in thousands. */
const DECIMAL_SUFFIXES = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'] as const;

/** The quantity, or undefined when the text is none. */
export function parseQuantity(text: unknown): Quantity | undefined {
  const trimmed = typeof text === 'number' ? String(text) : typeof text === 'string' ? text.trim() : '';
  if (trimmed.length > MAX_LENGTH) return undefined;
  const match = SHAPE.exec(trimmed);
  if (match === null) return undefined;
  const [, sign = '', whole = '', fraction = '', suffix = ''] = match;
  if (whole === '' && fraction === '') return undefined;
  const scale = scaleOf(suffix);
  if (scale === undefined) return undefined;
  const digits = BigInt(`${whole}${fraction}`);
  const nano = roundUp(digits * NANO * scale.up, 10n ** BigInt(fraction.length) * scale.down);
  const capped = nano > MAX_UNITS * NANO ? MAX_UNITS * NANO : nano;
  return { nano: sign === '-' ? -capped : capped, format: scale.format };
}

/** What is wrong with a quantity's text, in the API server's words. */
export function checkQuantity(text: unknown): string[] {
  return parseQuantity(text) === undefined ? [`quantities must match the regular expression ${REGEX_TEXT}`] : [];
}

/** Canonical text: no fraction, the largest suffix that keeps the value whole. */
export function formatQuantity({ nano, format }: Quantity): string {
  if (nano === 0n) return '0';
  const size = nano < 0n ? -nano : nano;
  const sign = nano < 0n ? '-' : '';
  if (format === 'BinarySI' && size >= 1024n * NANO) return sign + formatBinary(roundUp(size, NANO));
  return sign + formatDecimal(size, format === 'DecimalExponent');
}

/** The canonical text of a quantity; the text itself when it is none. */
export function canonicalQuantity(text: string): string {
  const quantity = parseQuantity(text);
  return quantity === undefined ? text : formatQuantity(quantity);
}

/** Negative, zero or positive. A text that is no quantity counts as zero. */
export function compareQuantity(left: unknown, right: unknown): number {
  const [a, b] = [nanoOf(left), nanoOf(right)];
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The sum in the format of the first; absent ones count as zero. */
export function addQuantity(left: unknown, right: unknown): string {
  const first = parseQuantity(left);
  const second = parseQuantity(right);
  const format = first === undefined || first.nano === 0n ? (second?.format ?? 'DecimalSI') : first.format;
  return formatQuantity({ nano: (first?.nano ?? 0n) + (second?.nano ?? 0n), format });
}

/** In thousandths, rounded up: what a CPU is scheduled by. */
export function milliValue(text: unknown): number {
  return Number(roundUpSigned(nanoOf(text), MILLI));
}

/** In units, rounded up: what memory is scheduled by. */
export function unitValue(text: unknown): number {
  return Number(roundUpSigned(nanoOf(text), NANO));
}

/** As a floating-point number, for ratios and metrics. */
export function quantityToNumber(text: unknown): number {
  return Number(nanoOf(text)) / 1e9;
}

function nanoOf(text: unknown): bigint {
  return parseQuantity(text)?.nano ?? 0n;
}

interface Scale {
  readonly up: bigint;
  readonly down: bigint;
  readonly format: QuantityFormat;
}

function scaleOf(suffix: string): Scale | undefined {
  const binary = BINARY_SUFFIXES.indexOf(suffix as (typeof BINARY_SUFFIXES)[number]);
  if (binary > 0) return { up: 1024n ** BigInt(binary), down: 1n, format: 'BinarySI' };
  const decimal = DECIMAL_SUFFIXES.indexOf(suffix as (typeof DECIMAL_SUFFIXES)[number]);
  const exponent = decimal >= 0 ? (decimal - 3) * 3 : Number(suffix.slice(1));
  if (!Number.isInteger(exponent) || Math.abs(exponent) > MAX_EXPONENT) return undefined;
  const power = 10n ** BigInt(Math.abs(exponent));
  const format = decimal >= 0 ? 'DecimalSI' : 'DecimalExponent';
  return exponent >= 0 ? { up: power, down: 1n, format } : { up: 1n, down: power, format };
}

function formatBinary(units: bigint): string {
  let power = 0;
  let value = units;
  while (power < BINARY_SUFFIXES.length - 1 && value % 1024n === 0n) {
    value /= 1024n;
    power++;
  }
  return `${value}${BINARY_SUFFIXES[power]}`;
}

function formatDecimal(nano: bigint, asExponent: boolean): string {
  let power = 0;
  let value = nano;
  while (power < DECIMAL_SUFFIXES.length - 1 && value % 1000n === 0n) {
    value /= 1000n;
    power++;
  }
  if (!asExponent) return `${value}${DECIMAL_SUFFIXES[power]}`;
  const exponent = (power - 3) * 3;
  return exponent === 0 ? `${value}` : `${value}e${exponent}`;
}

function roundUp(value: bigint, by: bigint): bigint {
  return (value + by - 1n) / by;
}

function roundUpSigned(value: bigint, by: bigint): bigint {
  return value >= 0n ? roundUp(value, by) : value / by;
}
