/** Keeps those who only name a registry away from what the machine of the source talks to by itself. */
import { type LookupAddress, lookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { isOfMachine } from './access.ts';

/** Whether nobody is led to this URL. */
export type Closed = (url: URL) => boolean;

/** As the system's, but of no use for names that lead to this machine; judged here, so that no second answer comes between. */
export const guardedLookup: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, options, (error, found: string | LookupAddress[], family?: number) => {
    if (error !== null) return callback(error, found, family);
    const addresses = typeof found === 'string' ? [found] : found.map(({ address }) => address);
    const inner = addresses.find(isOfMachine);
    if (inner === undefined) return callback(null, found, family);
    callback(new Error(`${hostname} leads to ${inner}, an address of the machine itself`), found, family);
  });
};

/** Closes one registry, however its port is written. */
export function closedTo(registry: URL): Closed {
  const port = (url: URL) => url.port || (url.protocol === 'http:' ? '80' : '443');
  return (url) => url.hostname === registry.hostname && port(url) === port(registry);
}
