/** `quantity()`: resource quantities with their arithmetic. */
import type { Environment } from '@marcbachmann/cel-js';
import { formatQuantity, parseQuantity, type Quantity } from '../../quantity.ts';
import { addFunctions, CelFailure } from './functions.ts';

const NANO = 1_000_000_000n;

class CelQuantity {
  readonly quantity: Quantity;

  constructor(quantity: Quantity) {
    this.quantity = quantity;
  }

  get nano(): bigint {
    return this.quantity.nano;
  }

  toString(): string {
    return formatQuantity(this.quantity);
  }
}

export function addQuantityFunctions(environment: Environment): void {
  const type = 'kubernetes.Quantity';
  environment.registerType(type, CelQuantity);
  environment.registerOperator(
    `${type} == ${type}`,
    (left: CelQuantity, right: CelQuantity) => left.nano === right.nano,
  );
  addFunctions(environment, {
    [`quantity(string): ${type}`]: (text: string) => parse(text) ?? fail(text),
    'isQuantity(string): bool': (text: string) => parse(text) !== undefined,
    [`${type}.sign(): int`]: ({ nano }: CelQuantity) => signOf(nano),
    [`${type}.isInteger(): bool`]: ({ nano }: CelQuantity) => nano % NANO === 0n,
    [`${type}.asInteger(): int`]: ({ nano }: CelQuantity) =>
      nano % NANO === 0n ? nano / NANO : fail('cannot convert value to integer'),
    [`${type}.asApproximateFloat(): double`]: ({ nano }: CelQuantity) => Number(nano) / Number(NANO),
    [`${type}.isGreaterThan(${type}): bool`]: (left: CelQuantity, right: CelQuantity) => left.nano > right.nano,
    [`${type}.isLessThan(${type}): bool`]: (left: CelQuantity, right: CelQuantity) => left.nano < right.nano,
    [`${type}.compareTo(${type}): int`]: (left: CelQuantity, right: CelQuantity) => signOf(left.nano - right.nano),
    [`${type}.add(${type}): ${type}`]: (left: CelQuantity, right: CelQuantity) => plus(left, right.nano),
    [`${type}.add(int): ${type}`]: (left: CelQuantity, right: bigint) => plus(left, right * NANO),
    [`${type}.sub(${type}): ${type}`]: (left: CelQuantity, right: CelQuantity) => plus(left, -right.nano),
    [`${type}.sub(int): ${type}`]: (left: CelQuantity, right: bigint) => plus(left, -right * NANO),
  });
}

/** Kubernetes takes no spaces here. */
function parse(text: string): CelQuantity | undefined {
  const quantity = text.trim() === text ? parseQuantity(text) : undefined;
  return quantity === undefined ? undefined : new CelQuantity(quantity);
}

function plus({ quantity }: CelQuantity, nano: bigint): CelQuantity {
  return new CelQuantity({ ...quantity, nano: quantity.nano + nano });
}

function signOf(value: bigint): bigint {
  return value > 0n ? 1n : value < 0n ? -1n : 0n;
}

function fail(text: string): never {
  throw new CelFailure(
    text.startsWith('cannot')
      ? text
      : "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
  );
}
