/** Addresses as numbers, and their one canonical text. */
import { isIPv4, isIPv6 } from 'node:net';

type Family = 4 | 6;

const BITS: Readonly<Record<Family, number>> = { 4: 32, 6: 128 };

export class Address {
  readonly family: Family;
  readonly value: bigint;

  constructor(family: Family, value: bigint) {
    this.family = family;
    this.value = value;
  }

  equals({ family, value }: Address): boolean {
    return family === this.family && value === this.value;
  }

  toString(): string {
    return this.family === 4 ? dotted(this.value) : colons(this.value);
  }
}

export class Network {
  readonly address: Address;
  readonly prefix: number;

  constructor(address: Address, prefix: number) {
    this.address = address;
    this.prefix = prefix;
  }

  contains({ family, value }: Address): boolean {
    const free = BigInt(BITS[family] - this.prefix);
    return family === this.address.family && value >> free === this.address.value >> free;
  }

  containsNetwork({ address, prefix }: Network): boolean {
    return prefix >= this.prefix && this.contains(address);
  }

  masked(): Network {
    const { family, value } = this.address;
    const free = BigInt(BITS[family] - this.prefix);
    return new Network(new Address(family, (value >> free) << free), this.prefix);
  }

  equals({ address, prefix }: Network): boolean {
    return prefix === this.prefix && address.equals(this.address);
  }

  toString(): string {
    return `${this.address}/${this.prefix}`;
  }
}

/** Undefined for zones, and for IPv4 in the clothes of IPv6, which Kubernetes takes for neither. */
export function parseAddress(text: string): Address | undefined {
  if (isIPv4(text)) return new Address(4, joined(text.split('.').map(BigInt), 8n));
  if (!isIPv6(text) || text.includes('%') || text.includes('.')) return undefined;
  const value = joined(groupsOf(text), 16n);
  return value >> 32n === 0xffffn ? undefined : new Address(6, value);
}

export function parseNetwork(text: string): Network | undefined {
  const [host = '', length = '', more] = text.split('/');
  const address = parseAddress(host);
  if (address === undefined || more !== undefined || !/^(0|[1-9]\d{0,2})$/.test(length)) return undefined;
  const prefix = Number(length);
  return prefix > BITS[address.family] ? undefined : new Network(address, prefix);
}

function joined(parts: readonly bigint[], bits: bigint): bigint {
  return parts.reduce((value, part) => (value << bits) | part, 0n);
}

function groupsOf(text: string): bigint[] {
  const [head = '', tail] = text.split('::');
  const groups = (half: string) => (half === '' ? [] : half.split(':').map((group) => BigInt(`0x${group}`)));
  if (tail === undefined) return groups(head);
  const [left, right] = [groups(head), groups(tail)];
  return [...left, ...Array.from({ length: 8 - left.length - right.length }, () => 0n), ...right];
}

function dotted(value: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join('.');
}

/** RFC 5952: the longest run of zeros is left out, the first of several. */
function colons(value: bigint): string {
  const groups = Array.from({ length: 8 }, (_, index) => ((value >> BigInt(112 - index * 16)) & 0xffffn).toString(16));
  const text = groups.join(':');
  const [longest = ''] = [...text.matchAll(/\b0(?::0\b)+/g)].map(([run]) => run).sort((a, b) => b.length - a.length);
  if (longest === '') return text;
  const at = new RegExp(`\\b${longest}\\b`).exec(text)?.index ?? 0;
  const [before, after] = [text.slice(0, at), text.slice(at + longest.length)];
  return `${before.replace(/:$/, '')}::${after.replace(/^:/, '')}`;
}
