/** The names and addresses under which this machine may be reached, when nobody said which. */
import { isIP } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import type { HostPort } from '@skerry/base/flags';

const EVERY_ADDRESS = new Set(['0.0.0.0', '::']);

/** What is advertised: the listening host itself, or every address of the machine when it listens on all of them. */
export function advertisedNames(advertise: string, listen: HostPort): readonly string[] {
  if (advertise !== '') return advertise.split(',');
  if (!EVERY_ADDRESS.has(listen.host)) return [listen.host];
  const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  // Link-local addresses need a zone, which no certificate and no token can carry.
  const usable = addresses.filter(({ internal, address }) => !internal && !address.startsWith('fe80:'));
  return [hostname(), ...usable.map(({ address }) => address)];
}

/** The address that this machine's own kubeconfig uses. */
export function localHost({ host }: HostPort): string {
  if (host === '::') return '::1';
  return host === '0.0.0.0' ? '127.0.0.1' : host;
}

/** The first of the names that is an address: a Service leads to addresses only. */
export function firstAddress(names: readonly string[]): string {
  return names.find((name) => isIP(name) !== 0) ?? '127.0.0.1';
}
