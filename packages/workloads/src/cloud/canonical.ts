/** Comparing and hashing objects by what they mean: the order of keys, nulls and empty lists make no difference. */

/** JSON with sorted keys, without what is null, undefined or an empty list. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(canonical(value));
}

export function isSame(left: unknown, right: unknown): boolean {
  return left === right || canonicalJson(left) === canonicalJson(right);
}

/** For statuses: servers leave zero counts out. */
export function isSameStatus(left: object | undefined, right: object | undefined): boolean {
  return isSame(withoutZeros(left), withoutZeros(right));
}

function withoutZeros(status: object = {}): object {
  return Object.fromEntries(Object.entries(status).filter(([, value]) => value !== 0));
}

function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, field]) => !isNothing(field));
  entries.sort(([left], [right]) => (left < right ? -1 : 1));
  return Object.fromEntries(entries.map(([name, field]) => [name, canonical(field)]));
}

function isNothing(value: unknown): boolean {
  return value === null || value === undefined || (Array.isArray(value) && value.length === 0);
}

/** 32-bit FNV-1a. */
export function fnv32a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) {
    hash ^= byte;
    hash = Math.imul(hash, 0x01000193);
  }
  return hash >>> 0;
}

// The letters of generated names in Kubernetes: no vowels, no look-alikes.
const ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';

/** A number as the suffix of a name. */
export function encodeHash(hash: number): string {
  return Array.from(String(hash), (digit) => ALPHABET[digit.charCodeAt(0) % ALPHABET.length]).join('');
}
