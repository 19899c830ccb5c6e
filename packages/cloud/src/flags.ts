/** The flags of `skerry cloud`. */
import { parseQuantity, quantityToNumber } from '@skerry/api/quantity';
import { type FlagTable, type HostPort, logLevelFlag, parseDuration, parseHostPort } from '@skerry/base/flags';
import { parseAllowedTargets } from '@skerry/streams/cloud';

export function cloudFlags(defaults: { readonly dataDir: string; readonly keyDir: string }) {
  return {
    'data-dir': {
      text: 'Where everything is kept.',
      value: 'DIR',
      parse: (text: string) => text,
      fallback: defaults.dataDir,
    },
    listen: {
      text: 'Address of the API.',
      value: 'HOST:PORT',
      parse: parseHostPort,
      fallback: { host: '0.0.0.0', port: 6443 },
      fallbackText: '0.0.0.0:6443',
    },
    'link-listen': {
      text: 'Address where nodes join and link.',
      value: 'HOST:PORT',
      parse: parseHostPort,
      fallbackText: 'the same host, the next port',
    },
    'registry-listen': {
      text: 'Address of the registry of images; "none" turns it off.',
      value: 'HOST:PORT',
      parse: parseRegistryListen,
      fallbackText: 'the same host, the second port after that of the API',
    },
    'registry-upstream': {
      text: 'Another registry, reached by this cloud only, which keeps the images behind our door.',
      value: 'URL',
      parse: parseUpstream,
    },
    'image-rate': {
      text: 'Bytes a second that the images for one node take of its link at most.',
      value: 'QUANTITY',
      parse: parseRate,
      fallbackText: '64Mi',
    },
    'image-rate-all': {
      text: 'Bytes a second that the images for all nodes take of the links together at most.',
      value: 'QUANTITY',
      parse: parseRate,
      fallbackText: '256Mi',
    },
    advertise: {
      text: 'Names and addresses, comma-separated, under which nodes and clients reach this cloud.',
      value: 'NAME[,IP]',
      parse: parseNames,
      fallback: '',
      fallbackText: 'the addresses of this machine',
    },
    'outlet-allow': {
      text: 'What outlets of the cloud may connect to of this machine and its link, comma-separated.',
      value: 'CIDR[:PORT]',
      parse: parseAllowedTargets,
      fallback: [],
      fallbackText: 'nothing',
    },
    'key-file': {
      text: 'The key that seals Secrets at rest.',
      value: 'FILE',
      parse: (text: string) => text,
      fallbackText: `a file in ${defaults.keyDir}`,
    },
    'node-monitor-grace-period': {
      text: 'How long a node may be silent before it counts as lost.',
      value: 'DURATION',
      parse: parseDuration,
      fallback: 40_000,
      fallbackText: '40s',
    },
    'rejoin-window': {
      text: 'How long after its expiry a node certificate may still be renewed.',
      value: 'DURATION',
      parse: parseDuration,
      fallback: 90 * 86_400_000,
      fallbackText: '90d',
    },
    'log-level': logLevelFlag,
  } as const satisfies FlagTable;
}

function parseRate(text: string): number {
  const rate = parseQuantity(text) === undefined ? 0 : quantityToNumber(text);
  if (rate > 0) return rate;
  throw new Error('a quantity above nothing, such as 512Ki or 2M');
}

function parseRegistryListen(text: string): HostPort | 'none' {
  return text === 'none' ? 'none' : parseHostPort(text);
}

function parseUpstream(text: string): URL {
  const url = URL.parse(text);
  const isPlain = url !== null && url.username === '' && url.password === '' && url.search === '' && url.hash === '';
  if (isPlain && /^https?:$/.test(url.protocol)) return url;
  throw new Error('must be an http or https URL such as http://127.0.0.1:5000');
}

function parseNames(text: string): string {
  const strange = text.split(',').find((name) => !/^[A-Za-z0-9.:_-]+$/.test(name));
  if (strange !== undefined) throw new Error(`${JSON.stringify(strange)} is neither a DNS name nor an address`);
  return text;
}
