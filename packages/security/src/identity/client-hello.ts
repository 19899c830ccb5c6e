/** Reads the first bytes of a connection: is it TLS, and which application protocols does the client offer? Pure and bounded. */

export type FirstBytes =
  | { readonly kind: 'more' }
  | { readonly kind: 'tls'; readonly protocols: readonly string[] }
  | { readonly kind: 'plain' }
  | { readonly kind: 'invalid' };

/** One TLS record (RFC 8446 §5.1) with its header; a hello that needs more is refused. */
export const MAX_HELLO_BYTES = 5 + 16 * 1024;

const HANDSHAKE = 0x16;
const CLIENT_HELLO = 0x01;
const ALPN = 16;
const MAX_PROTOCOLS = 16;

const MORE: FirstBytes = { kind: 'more' };
const INVALID: FirstBytes = { kind: 'invalid' };

/** Invariant: no length in the input is trusted beyond the bytes that are there, and nothing is allocated from one. */
export function readFirstBytes(bytes: Uint8Array): FirstBytes {
  if (bytes.length === 0) return MORE;
  if (bytes[0] !== HANDSHAKE) return isUpperCaseLetter(bytes[0]) ? { kind: 'plain' } : INVALID;
  if (bytes.length < 5) return MORE;
  if (bytes[1] !== 3) return INVALID;
  const size = uint16(bytes, 3);
  if (size === 0 || size + 5 > MAX_HELLO_BYTES) return INVALID;
  if (bytes.length < size + 5) return MORE;
  return readHello(bytes.subarray(5, size + 5));
}

function readHello(hello: Uint8Array): FirstBytes {
  if (hello[0] !== CLIENT_HELLO) return INVALID;
  // Type and length, then version, random, session id, cipher suites, compression methods, extensions.
  const afterRandom = 4 + 2 + 32;
  const afterSession = afterRandom + 1 + (hello[afterRandom] ?? 0);
  const afterCiphers = afterSession + 2 + uint16(hello, afterSession);
  const afterCompression = afterCiphers + 1 + (hello[afterCiphers] ?? 0);
  const start = afterCompression + 2;
  const end = start + uint16(hello, afterCompression);
  if (start > hello.length || end > hello.length) return INVALID;
  return { kind: 'tls', protocols: findProtocols(hello.subarray(start, end)) };
}

function findProtocols(extensions: Uint8Array): readonly string[] {
  for (let at = 0; at + 4 <= extensions.length; at += 4 + uint16(extensions, at + 2)) {
    if (uint16(extensions, at) === ALPN)
      return readProtocols(extensions.subarray(at + 4, at + 4 + uint16(extensions, at + 2)));
  }
  return [];
}

function readProtocols(list: Uint8Array): readonly string[] {
  const protocols: string[] = [];
  for (let at = 2; at < list.length && protocols.length < MAX_PROTOCOLS; at += 1 + (list[at] ?? 0)) {
    protocols.push(Buffer.from(list.subarray(at + 1, at + 1 + (list[at] ?? 0))).toString('latin1'));
  }
  return protocols;
}

function uint16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

function isUpperCaseLetter(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x41 && byte <= 0x5a;
}
