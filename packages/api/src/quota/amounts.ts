/** Lists of quantities by the name of a resource, and sums of them. */
import { formatQuantity, parseQuantity, type Quantity } from '../quantity.ts';

export type Amounts = ReadonlyMap<string, Quantity>;

export const NONE: Amounts = new Map();

const ZERO: Quantity = { nano: 0n, format: 'DecimalSI' };

/** As a number of things. */
export function things(count: number): Quantity {
  return { nano: BigInt(count) * 1_000_000_000n, format: 'DecimalSI' };
}

/** A resource list of an object; what is no quantity counts as none. */
export function amountsIn(list: Readonly<Record<string, unknown>> | undefined): Amounts {
  if (list === undefined || list === null) return NONE;
  const amounts = new Map<string, Quantity>();
  for (const [name, text] of Object.entries(list)) {
    const quantity = parseQuantity(text);
    if (quantity !== undefined) amounts.set(name, quantity);
  }
  return amounts;
}

export function plus(left: Amounts, right: Amounts): Amounts {
  return joined(left, right, added);
}

/** The sum of all, for the resources of these names. */
export function total(all: Iterable<Amounts>, names: readonly string[]): Amounts {
  const sum = new Map<string, Quantity>();
  for (const amounts of all) {
    for (const name of names) {
      const quantity = amounts.get(name);
      if (quantity !== undefined) sum.set(name, added(sum.get(name) ?? ZERO, quantity));
    }
  }
  return sum;
}

export function minus(left: Amounts, right: Amounts): Amounts {
  return joined(left, right, (a, b) => ({ nano: a.nano - b.nano, format: formatOf(a, b) }));
}

/** The larger of both, for each resource. */
export function larger(left: Amounts, right: Amounts): Amounts {
  return joined(left, right, (a, b) => (a.nano >= b.nano ? a : b));
}

/** Only the resources of these names. */
export function only(amounts: Amounts, names: Iterable<string>): Amounts {
  const kept = new Map<string, Quantity>();
  for (const name of names) {
    const quantity = amounts.get(name);
    if (quantity !== undefined) kept.set(name, quantity);
  }
  return kept;
}

/** As a resource list, in the canonical texts. */
export function formatAmounts(amounts: Amounts): Record<string, string> {
  return Object.fromEntries([...amounts].map(([name, quantity]) => [name, formatQuantity(quantity)]));
}

/** `cpu=1,pods=3`, as refusals name amounts. */
export function describeAmounts(amounts: Amounts): string {
  const names = [...amounts.keys()].sort();
  return names.map((name) => `${name}=${formatQuantity(amounts.get(name) ?? ZERO)}`).join(',');
}

function added(left: Quantity, right: Quantity): Quantity {
  return { nano: left.nano + right.nano, format: formatOf(left, right) };
}

function joined(left: Amounts, right: Amounts, join: (a: Quantity, b: Quantity) => Quantity): Amounts {
  if (right.size === 0) return left;
  const result = new Map(left);
  for (const [name, quantity] of right) result.set(name, join(left.get(name) ?? ZERO, quantity));
  return result;
}

/** A sum is written as its first part that is something. */
function formatOf(left: Quantity, right: Quantity): Quantity['format'] {
  return left.nano === 0n ? right.format : left.format;
}
