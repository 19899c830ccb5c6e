/** Where Services have their addresses, and whose each of them is. */
import { type JsonObject, objectAt } from '../../json.ts';
import { invalid, required } from '../../walker/field-errors.ts';
import { type Faults, present } from './checks.ts';
import { isAddress } from './endpoint-address.ts';
import { immutable, type KindRules } from './rules.ts';

/** One of each family. */
const MAX_CIDRS = 2;

const FAMILIES = 'may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64';

export const serviceNetworkRules: Readonly<Record<string, KindRules>> = {
  'networking.k8s.io/IPAddress': { check: checkAddress, update: immutable('spec.parentRef') },
  'networking.k8s.io/ServiceCIDR': { check: checkRanges, update: immutable('spec.cidrs') },
};

/** An IPAddress is named by the address itself, in the one way to write it. */
export function checkAddressName(name: string): string[] {
  if (!isAddress(name)) return [`ParseAddr("${name}"): unable to parse IP`];
  return canonical(name) === name ? [] : ['must be a canonical form IP address'];
}

function canonical(address: string): string {
  return address.includes(':') ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address;
}

function checkAddress(faults: Faults, address: JsonObject): void {
  const spec = objectAt(address, 'spec');
  if (!present(faults, 'spec.parentRef', spec['parentRef'])) return;
  const parent = objectAt(spec, 'parentRef');
  present(faults, 'spec.parentRef.resource', parent['resource']);
  present(faults, 'spec.parentRef.name', parent['name']);
}

function checkRanges(faults: Faults, { spec }: JsonObject): void {
  const cidrs = objectAt(spec)['cidrs'];
  if (!Array.isArray(cidrs) || cidrs.length === 0) {
    faults.push(required('spec.cidrs', 'at least one CIDR required'));
    return;
  }
  const texts = cidrs.map(String);
  if (texts.length > MAX_CIDRS) faults.push(invalid('spec.cidrs', cidrs, 'may only hold up to 2 values'));
  const families = new Set(texts.map((cidr) => cidr.includes(':')));
  if (texts.length === MAX_CIDRS && families.size < MAX_CIDRS) faults.push(invalid('spec.cidrs', cidrs, FAMILIES));
  for (const [index, cidr] of texts.entries()) {
    if (isNetwork(cidr)) continue;
    const why = 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)';
    faults.push(invalid(`spec.cidrs[${index}]`, cidr, why));
  }
}

/** An address and how many of its bits are the network's; none of the others is set. */
function isNetwork(cidr: string): boolean {
  const [address = '', bits = '', ...more] = cidr.split('/');
  if (more.length > 0 || !/^(0|[1-9]\d{0,2})$/.test(bits) || !isAddress(address)) return false;
  const isIpv6 = address.includes(':');
  if (Number(bits) > (isIpv6 ? 128 : 32) || canonical(address) !== address) return false;
  if (isIpv6) return true;
  const value = address.split('.').reduce((sum, byte) => sum * 256 + Number(byte), 0);
  return value % 2 ** (32 - Number(bits)) === 0;
}
