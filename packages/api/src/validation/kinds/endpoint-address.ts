/** Addresses that no endpoint may have: traffic to a Service must not end at whoever sends it, or beside the network. */
import { BlockList } from 'node:net';

export const NOT_AN_ADDRESS = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';

const RANGES = {
  'may not be unspecified': ranges('0.0.0.0/32', '::/128'),
  'may not be in the loopback range (127.0.0.0/8, ::1/128)': ranges('127.0.0.0/8', '::1/128'),
  'may not be in the link-local range (169.254.0.0/16, fe80::/10)': ranges('169.254.0.0/16', 'fe80::/10'),
  'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)': ranges('224.0.0.0/24', 'ff02::/16'),
};

function ranges(...nets: readonly string[]): BlockList {
  const list = new BlockList();
  for (const net of nets) {
    const [address = '', prefix = ''] = net.split('/');
    list.addSubnet(address, Number(prefix), familyOf(address));
  }
  return list;
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return address.includes(':') ? 'ipv6' : 'ipv4';
}

/** What is wrong with it; undefined when an endpoint may have it. */
export function endpointAddressFault(address: unknown): string | undefined {
  if (typeof address !== 'string' || !isAddress(address)) return NOT_AN_ADDRESS;
  return Object.entries(RANGES).find(([, list]) => list.check(address, familyOf(address)))?.[0];
}

const IPV4 = /^(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(\.(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}$/;

/** IPv4 without leading zeros, or IPv6. */
export function isAddress(value: unknown): boolean {
  if (typeof value !== 'string' || value.length > 45) return false;
  return IPV4.test(value) || isIpv6(value);
}

function isIpv6(text: string): boolean {
  const halves = text.split('::');
  if (halves.length > 2 || !text.includes(':')) return false;
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')));
  const last = groups.at(-1) ?? '';
  const hasIpv4 = IPV4.test(last);
  const words = hasIpv4 ? groups.slice(0, -1) : groups;
  const count = words.length + (hasIpv4 ? 2 : 0);
  if (!words.every((word) => /^[0-9a-fA-F]{1,4}$/.test(word))) return false;
  return halves.length === 2 ? count < 8 : count === 8;
}
