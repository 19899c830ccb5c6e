/** Bytes there and back: what protocols over TCP and over serial lines have in common. */
import type { DriverError } from '../driver-error.ts';

export interface ByteStream {
  /** Never throws; what cannot be written any more is told by `closed`. */
  write(bytes: Uint8Array): void;
  /** Once. What came before is kept for the listener, up to a bound. */
  onBytes(listener: (bytes: Uint8Array) => void): void;
  /** With what ended it; undefined after `close`. Never rejects. */
  readonly closed: Promise<DriverError | undefined>;
  close(): void;
}

export interface SerialSettings {
  readonly baudRate: number;
  readonly dataBits: 5 | 6 | 7 | 8;
  readonly parity: 'None' | 'Even' | 'Odd';
  readonly stopBits: 1 | 2;
  readonly flowControl: 'None' | 'Hardware' | 'Software';
}

/** What a protocol's options say of the line (`serialSchema`), and what they leave open. */
export function serialSettings(given: unknown): SerialSettings {
  const {
    baudRate = 9600,
    dataBits = 8,
    parity = 'None',
    stopBits = 1,
    flowControl = 'None',
  } = (given ?? {}) as Partial<SerialSettings>;
  return { baudRate, dataBits, parity, stopBits, flowControl };
}

export type Endpoint =
  | { readonly kind: 'tcp' | 'udp'; readonly host: string; readonly port: number }
  | { readonly kind: 'serial'; readonly path: string };

/** `tcp://HOST:PORT`, `udp://HOST:PORT` or `serial:///dev/NAME`; undefined when it is none. The only place that reads them. */
export function parseEndpoint(text: string, defaultPort?: number): Endpoint | undefined {
  const serial = /^serial:\/\/(\/dev\/[\w./@:+-]+)$/.exec(text)?.[1];
  if (serial !== undefined) return serial.includes('..') ? undefined : { kind: 'serial', path: serial };
  const [, kind, bracketed, plain, digits] =
    /^(tcp|udp):\/\/(?:\[([0-9a-fA-F:.]+)\]|([\w.-]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const [host, port] = [bracketed ?? plain, digits === undefined ? defaultPort : Number(digits)];
  if (host === undefined || port === undefined || port < 1 || port > 65_535) return undefined;
  return { kind: kind === 'udp' ? 'udp' : 'tcp', host, port };
}
