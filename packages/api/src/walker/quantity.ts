/** Resource quantities: `500m`, `1.5Gi`, `1e3`. Exact, in powers of ten down to nano. */

const QUANTITY = /^([+-]?)(\d*)(?:\.(\d*))?(?:([KMGTPE]i)|([numkMGTPE])|[eE]([+-]?\d{1,3}))?$/;

const DECIMAL = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'];
const BINARY = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
const NANO = 10n ** 9n;
/** Larger exponents cannot be written as a quantity that Kubernetes keeps. */
const MAX_EXPONENT = 27;

interface Parsed {
  /** In units of 10⁻⁹, rounded up in magnitude as Kubernetes does. */
  readonly nanos: bigint;
  readonly form: 'decimal' | 'binary' | 'exponent';
}

export function parseQuantity(text: string): Parsed | undefined {
  const match = QUANTITY.exec(text);
  if (match === null || text.length > 64) return undefined;
  const [, sign, whole = '', fraction = '', binary, decimal, exponentText] = match;
  if (whole === '' && fraction === '') return undefined;
  const exponent = Number(exponentText ?? 0);
  if (Math.abs(exponent) > MAX_EXPONENT) return undefined;
  const digits = BigInt(`${whole}${fraction}`);
  const power = (decimal === undefined ? 0 : (DECIMAL.indexOf(decimal) - 3) * 3) + exponent - fraction.length + 9;
  const scaled = digits * (binary === undefined ? 1n : 1024n ** BigInt(BINARY.indexOf(binary)));
  const nanos = power >= 0 ? scaled * 10n ** BigInt(power) : roundUp(scaled, 10n ** BigInt(-power));
  const form = binary === undefined ? (exponentText === undefined ? 'decimal' : 'exponent') : 'binary';
  return { nanos: sign === '-' ? -nanos : nanos, form };
}

/** The one way Kubernetes writes this amount: `1000m` is `1`, `1024Ki` is `1Mi`, `0.5` is `500m`. */
export function canonicalQuantity(value: string | number): string | undefined {
  const text = String(value);
  const parsed = parseQuantity(text);
  if (parsed === undefined) return undefined;
  if (parsed.nanos === 0n) return '0';
  const binary = parsed.form === 'binary' ? formatBinary(parsed.nanos) : undefined;
  return binary ?? formatDecimal(parsed.nanos, parsed.form === 'exponent');
}

/** Undefined when the amount is no whole number, or below 1024: then the decimal form is used, as upstream. */
function formatBinary(nanos: bigint): string | undefined {
  if (nanos % NANO !== 0n) return undefined;
  let amount = nanos / NANO;
  if (amount < 1024n && amount > -1024n) return undefined;
  let step = 0;
  for (; step < BINARY.length - 1 && amount % 1024n === 0n; step++) amount /= 1024n;
  return `${amount}${BINARY[step]}`;
}

function formatDecimal(nanos: bigint, asExponent: boolean): string {
  let amount = nanos;
  let step = 0;
  for (; step < DECIMAL.length - 1 && amount % 1000n === 0n; step++) amount /= 1000n;
  const exponent = (step - 3) * 3;
  if (!asExponent) return `${amount}${DECIMAL[step]}`;
  return exponent === 0 ? String(amount) : `${amount}e${exponent}`;
}

function roundUp(amount: bigint, divisor: bigint): bigint {
  return (amount + divisor - 1n) / divisor;
}
