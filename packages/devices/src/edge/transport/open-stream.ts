/** Opens what an endpoint names. */
import type { Clock } from '@skerry/base';
import { DriverError } from '../driver-error.ts';
import { type ByteStream, type Endpoint, parseEndpoint, type SerialSettings } from './byte-stream.ts';

export interface StreamOptions {
  readonly endpoint: Endpoint;
  /** Of endpoints that are serial lines. */
  readonly serial: SerialSettings;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

export type OpenStream = (options: StreamOptions) => Promise<ByteStream>;

/** Rejects with a DriverError. */
export const openStream: OpenStream = async (options) => {
  const { endpoint, serial, signal } = options;
  if (endpoint.kind === 'serial') return (await import('./serial-stream.ts')).openSerial(endpoint.path, serial);
  if (endpoint.kind === 'udp') return (await import('./udp-stream.ts')).openUdp(endpoint, signal);
  return (await import('./tcp-stream.ts')).openTcp(endpoint, options);
};

/** Throws `Misconfigured`. */
export function endpointOf(text: string, defaultPort?: number): Endpoint {
  const endpoint = parseEndpoint(text, defaultPort);
  if (endpoint !== undefined) return endpoint;
  throw new DriverError(
    'Misconfigured',
    `the endpoint "${text}" is none of tcp://HOST:PORT, udp://HOST:PORT and serial:///dev/NAME`,
  );
}
