/** Subjects and alternative names of certificates, to and from DER. */
import { isIPv4, isIPv6 } from 'node:net';
import { errors } from '../errors.ts';
import * as der from './der.ts';

/** A distinguished name as Kubernetes reads it: the user is the common name, the groups are the organizations. */
export interface Subject {
  readonly commonName: string;
  readonly organizations: readonly string[];
}

export interface AlternativeNames {
  readonly dns: readonly string[];
  readonly ips: readonly string[];
  readonly uris: readonly string[];
}

export const NO_ALTERNATIVE_NAMES: AlternativeNames = { dns: [], ips: [], uris: [] };

const COMMON_NAME = '2.5.4.3';
const ORGANIZATION = '2.5.4.10';
const KIND = { dns: 0x82, uri: 0x86, ip: 0x87 } as const;

export function encodeSubject(subject: Subject): Uint8Array {
  const rdn = (type: string, value: string) => der.set(der.sequence(der.oid(type), der.utf8String(value)));
  const organizations = subject.organizations.map((name) => rdn(ORGANIZATION, name));
  return der.sequence(...organizations, ...(subject.commonName === '' ? [] : [rdn(COMMON_NAME, subject.commonName)]));
}

/** Reads the exact bytes of each attribute: a textual form would let a name smuggle in another attribute. */
export function decodeSubject(element: der.DerElement): Subject {
  const organizations: string[] = [];
  let commonName = '';
  for (const rdn of der.readChildren(element)) {
    for (const pair of der.readChildren(rdn)) {
      const [type, value] = der.readChildren(pair);
      if (!type || !value) throw errors.DER_INVALID({ what: 'name attribute' });
      const name = der.readOid(type);
      if (name === ORGANIZATION) organizations.push(der.readString(value));
      if (name === COMMON_NAME) commonName = der.readString(value);
    }
  }
  return { commonName, organizations };
}

export function encodeAlternativeNames(names: AlternativeNames): Uint8Array {
  const ascii = (text: string) => Buffer.from(text, 'latin1');
  return der.sequence(
    ...names.dns.map((name) => der.implicit(2, ascii(name))),
    ...names.ips.map((address) => der.implicit(7, ipBytes(address))),
    ...names.uris.map((uri) => der.implicit(6, ascii(uri))),
  );
}

export function decodeAlternativeNames(bytes: Uint8Array): AlternativeNames {
  const dns: string[] = [];
  const ips: string[] = [];
  const uris: string[] = [];
  for (const name of der.readChildren(der.expectTag(der.readElement(bytes), der.TAG.sequence, 'alternative names'))) {
    if (name.tag === KIND.dns) dns.push(der.decodeAscii(name.content));
    if (name.tag === KIND.uri) uris.push(der.decodeAscii(name.content));
    if (name.tag === KIND.ip) ips.push(ipText(name.content));
  }
  return { dns, ips, uris };
}

export function hasNames(names: AlternativeNames): boolean {
  return names.dns.length + names.ips.length + names.uris.length > 0;
}

/** Sorts what an operator gives as one list into DNS names and addresses. */
export function splitHostNames(hosts: readonly string[]): AlternativeNames {
  const unique = [...new Set(hosts)];
  const isAddress = (host: string) => isIPv4(host) || isIPv6(host);
  return { dns: unique.filter((host) => !isAddress(host)), ips: unique.filter(isAddress), uris: [] };
}

export function ipBytes(address: string): Uint8Array {
  if (isIPv4(address)) return Uint8Array.from(address.split('.').map(Number));
  if (!isIPv6(address) || address.includes('%')) throw errors.DER_INVALID({ what: 'IP address' });
  const [head = '', tail] = withoutEmbeddedIpv4(address).split('::');
  const left = groups(head);
  const right = groups(tail ?? '');
  const middle = Array.from({ length: 8 - left.length - right.length }, () => 0);
  return Uint8Array.from([...left, ...middle, ...right].flatMap((group) => [group >> 8, group & 0xff]));
}

/** `::ffff:10.0.0.1` carries its last two groups in dotted form. */
function withoutEmbeddedIpv4(address: string): string {
  const lastColon = address.lastIndexOf(':');
  const tail = address.slice(lastColon + 1);
  if (!tail.includes('.')) return address;
  const [a = 0, b = 0, c = 0, d = 0] = tail.split('.').map(Number);
  return `${address.slice(0, lastColon + 1)}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
}

function groups(text: string): number[] {
  return text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
}

function ipText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.length !== 16) throw errors.DER_INVALID({ what: 'IP address' });
  const view = new DataView(bytes.buffer, bytes.byteOffset, 16);
  const text = Array.from({ length: 8 }, (_, i) => view.getUint16(i * 2).toString(16)).join(':');
  return compressZeros(text);
}

/** RFC 5952: the longest run of zero groups becomes `::`. */
function compressZeros(text: string): string {
  const runs = [...`:${text}:`.matchAll(/:(?:0:){2,}/g)].map((match) => match[0]);
  const longest = runs.reduce((best, run) => (run.length > best.length ? run : best), '');
  if (longest === '') return text;
  return `:${text}:`.replace(longest, '::').replace(/^:(?!:)|(?<!:):$/g, '');
}
