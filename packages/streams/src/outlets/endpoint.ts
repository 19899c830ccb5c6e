/** Endpoints that are URLs: what of them says where to connect, and the same with the address that was found. */
import { isIPv6 } from 'node:net';
import { OutletError, type TargetSettings } from './target.ts';

export function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}

export function portOf({ port }: URL, fallback: number): number {
  return port === '' ? fallback : Number(port);
}

interface Wanted {
  /** Such as `mqtt:`. */
  readonly protocols: readonly string[];
  readonly port: number;
}

export interface Pinned {
  /** With an address in the place of the name; without whatever else could lead elsewhere. */
  readonly url: URL;
  /** As it was, for the certificate of who answers. */
  readonly host: string;
}

/** One address for one connection, as found now. Throws `OutletError`. */
export async function pin({ endpoint, reach }: TargetSettings, { protocols, port }: Wanted): Promise<Pinned> {
  const url = URL.parse(endpoint);
  if (url === null || url.hostname === '' || !protocols.includes(url.protocol))
    throw new OutletError(`the endpoint must be a URL that begins with ${protocols.join('// or ')}//`);
  const host = decodeURIComponent(hostOf(url));
  const [{ address }] = await reach.find(host, portOf(url, port));
  url.hostname = isIPv6(address) ? `[${address}]` : address;
  url.port = String(portOf(url, port));
  return { url, host };
}
