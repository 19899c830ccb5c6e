/** `ip()`, `cidr()`: addresses and networks of both families. */
import type { Environment } from '@marcbachmann/cel-js';
import { addFunctions, CelFailure } from './functions.ts';
import { Address, Network, parseAddress, parseNetwork } from './ip-address.ts';

class IpNamespace {}

const IP = 'net.IP';
const CIDR = 'net.CIDR';

export function addIpFunctions(environment: Environment): void {
  environment.registerType(IP, Address);
  environment.registerType('IpNamespace', IpNamespace);
  environment.registerConstant('ip', 'IpNamespace', new IpNamespace());
  environment.registerOperator(`${IP} == ${IP}`, (left: Address, right: Address) => left.equals(right));
  addFunctions(environment, {
    [`ip(string): ${IP}`]: (text: string) => parseAddress(text) ?? noAddress(text),
    'isIP(string): bool': (text: string) => parseAddress(text) !== undefined,
    'IpNamespace.isCanonical(string): bool': (_: unknown, text: string) =>
      (parseAddress(text) ?? noAddress(text)).toString() === text,
    [`${IP}.family(): int`]: ({ family }: Address) => BigInt(family),
    [`${IP}.isUnspecified(): bool`]: (address: Address) => address.value === 0n,
    [`${IP}.isLoopback(): bool`]: (address: Address) => isIn(address, '127.0.0.0/8', '::1/128'),
    [`${IP}.isLinkLocalMulticast(): bool`]: (address: Address) => isIn(address, '224.0.0.0/24', 'ff02::/16'),
    [`${IP}.isLinkLocalUnicast(): bool`]: (address: Address) => isIn(address, '169.254.0.0/16', 'fe80::/10'),
    [`${IP}.isGlobalUnicast(): bool`]: isGlobalUnicast,
    [`string(${IP}): string`]: (address: Address) => address.toString(),
  });
  addNetworks(environment);
}

function addNetworks(environment: Environment): void {
  environment.registerType(CIDR, Network);
  environment.registerOperator(`${CIDR} == ${CIDR}`, (left: Network, right: Network) => left.equals(right));
  const containsIp = (network: Network, address: Address) => network.contains(address);
  const containsCidr = (network: Network, other: Network) => network.containsNetwork(other);
  addFunctions(environment, {
    [`cidr(string): ${CIDR}`]: (text: string) => parseNetwork(text) ?? noNetwork(text),
    'isCIDR(string): bool': (text: string) => parseNetwork(text) !== undefined,
    [`${CIDR}.containsIP(${IP}): bool`]: containsIp,
    [`${CIDR}.containsIP(string): bool`]: (network: Network, text: string) =>
      containsIp(network, parseAddress(text) ?? noAddress(text)),
    [`${CIDR}.containsCIDR(${CIDR}): bool`]: containsCidr,
    [`${CIDR}.containsCIDR(string): bool`]: (network: Network, text: string) =>
      containsCidr(network, parseNetwork(text) ?? noNetwork(text)),
    [`${CIDR}.ip(): ${IP}`]: ({ address }: Network) => address,
    [`${CIDR}.masked(): ${CIDR}`]: (network: Network) => network.masked(),
    [`${CIDR}.prefixLength(): int`]: ({ prefix }: Network) => BigInt(prefix),
    [`string(${CIDR}): string`]: (network: Network) => network.toString(),
  });
}

function isIn(address: Address, ...networks: readonly string[]): boolean {
  return networks.some((text) => parseNetwork(text)?.contains(address) ?? false);
}

function isGlobalUnicast(address: Address): boolean {
  if (address.value === 0n || isIn(address, '255.255.255.255/32', '127.0.0.0/8', '::1/128')) return false;
  return !isIn(address, '224.0.0.0/4', 'ff00::/8', '169.254.0.0/16', 'fe80::/10');
}

function noAddress(text: string): never {
  throw new CelFailure(`IP Address ${JSON.stringify(text)} parse error during conversion from string`);
}

function noNetwork(text: string): never {
  throw new CelFailure(`network address parse error during conversion from string: ${JSON.stringify(text)}`);
}
