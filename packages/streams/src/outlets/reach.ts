/**
 * Where outlets may connect to. Whoever may write Outlets in a namespace chooses their endpoints: those of the cloud must not lead to what
 * listens for this machine alone. Addresses are judged as they are found for each connection, and that very address is connected to.
 */
import type { LookupAddress } from 'node:dns';
import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';
import { messageOf } from '@skerry/base';
import { OutletError } from './target.ts';

export interface Reach {
  /** The addresses of the host that may be connected to, one at least. Rejects with an OutletError when there is none. */
  find(host: string, port: number): Promise<readonly [LookupAddress, ...LookupAddress[]]>;
}

/** What the keeper of the cloud allows all the same. */
export interface AllowedTarget {
  readonly addresses: BlockList;
  /** Any without it. */
  readonly port?: number;
}

/** Nothing is refused: what nodes may reach is for their own network to say. */
export const anywhere: Reach = { find: async (host) => named(host, await addressesOf(host)) };

export interface GuardedReachOptions {
  readonly allowed: readonly AllowedTarget[];
  /** Those that this machine has now. */
  readonly ownAddresses: () => readonly string[];
}

export function guardedReach({ allowed, ownAddresses }: GuardedReachOptions): Reach {
  return {
    find: async (host, port) => {
      const found = await addressesOf(host);
      const own = ownAddresses();
      const isOpen = ({ address }: LookupAddress) =>
        isAllowed(allowed, address, port) || (!isIn(FORBIDDEN, address) && !own.some((each) => isSame(each, address)));
      const [refused] = found.filter((each) => !isOpen(each));
      if (refused !== undefined && !found.some(isOpen)) throw refusalOf(host, port, refused);
      return named(host, found.filter(isOpen));
    },
  };
}

/** `192.0.2.7`, `10.1.0.0/16`, `127.0.0.1:8428`, `[::1]:8428`, several with commas between them. Throws for anything else. */
export function parseAllowedTargets(text: string): readonly AllowedTarget[] {
  return text
    .split(',')
    .filter((part) => part !== '')
    .map(parseAllowedTarget);
}

const TARGET = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)|([0-9a-fA-F:.]+))(?:\/(\d{1,3}))?(?::(\d{1,5}))?$/;
const MAX_PORT = 65_535;

function parseAllowedTarget(text: string): AllowedTarget {
  const [, bracketed, version4, bare, bits, port] = TARGET.exec(text) ?? [];
  const address = bracketed ?? version4 ?? bare ?? '';
  const kind = isIP(address);
  const most = kind === 4 ? 32 : 128;
  const prefix = bits === undefined ? most : Number(bits);
  if (kind === 0 || prefix > most || Number(port ?? 1) > MAX_PORT || (bare !== undefined && port !== undefined))
    throw new Error(
      `${JSON.stringify(text)} is neither an address, nor a range such as 10.1.0.0/16, nor one of these with :PORT`,
    );
  const addresses = new BlockList();
  addresses.addSubnet(address, prefix, kind === 4 ? 'ipv4' : 'ipv6');
  return { addresses, ...(port === undefined ? {} : { port: Number(port) }) };
}

/** This machine, its link and whoever listens there; what hosts of clouds tell their machines about themselves. */
const FORBIDDEN_RANGES = [
  ['0.0.0.0', 8],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['224.0.0.0', 4],
  ['255.255.255.255', 32],
  ['100.100.100.200', 32],
  ['168.63.129.16', 32],
  ['192.0.0.192', 32],
  ['::', 128],
  ['::1', 128],
  ['fe80::', 10],
  ['ff00::', 8],
  ['fd00:ec2::254', 128],
  ['fd20:ce::254', 128],
] as const;

/** Addresses of the other version with one of version 4 at their end, as gateways translate them: 64:ff9b::7f00:1, or those of one's own network. */
const TRANSLATED_BITS = 96;
const TRANSLATED = ['64:ff9b::', '64:ff9b:1::'];

const FORBIDDEN = forbidden();

function forbidden(): BlockList {
  const list = new BlockList();
  for (const [address, bits] of FORBIDDEN_RANGES) {
    const isVersion4 = isIP(address) === 4;
    list.addSubnet(address, bits, isVersion4 ? 'ipv4' : 'ipv6');
    if (!isVersion4) continue;
    for (const prefix of TRANSLATED) list.addSubnet(`${prefix}${address}`, TRANSLATED_BITS + bits, 'ipv6');
  }
  return list;
}

/** One of version 4 is also found as ::ffff:127.0.0.1. */
function isIn(list: BlockList, address: string): boolean {
  return list.check(withoutZone(address), isIP(address) === 4 ? 'ipv4' : 'ipv6');
}

function isAllowed(allowed: readonly AllowedTarget[], address: string, at: number): boolean {
  return allowed.some(({ addresses, port }) => (port === undefined || port === at) && isIn(addresses, address));
}

function isSame(one: string, other: string): boolean {
  const list = new BlockList();
  list.addAddress(withoutZone(one), isIP(one) === 4 ? 'ipv4' : 'ipv6');
  return isIn(list, other);
}

function withoutZone(address: string): string {
  return address.replace(/%.*$/, '');
}

async function addressesOf(host: string): Promise<readonly LookupAddress[]> {
  const family = isIP(host);
  if (family !== 0) return [{ address: host, family }];
  try {
    return await lookup(host, { all: true });
  } catch (cause) {
    throw new OutletError(`the host ${host} is not found: ${messageOf(cause)}`, { cause });
  }
}

function named(host: string, [first, ...rest]: readonly LookupAddress[]): readonly [LookupAddress, ...LookupAddress[]] {
  if (first === undefined) throw new OutletError(`the host ${host} has no address`);
  return [first, ...rest];
}

function refusalOf(host: string, port: number, { address, family }: LookupAddress): OutletError {
  const target = `${family === 6 ? `[${address}]` : address}:${port}`;
  const shown = address === host ? target : `${host}, which is ${target},`;
  return new OutletError(
    `${shown} is for the cloud's own machine, and outlets may not reach it; skerry cloud --outlet-allow ${target} lets them`,
  );
}
