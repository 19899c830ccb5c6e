/** The flags of `skerry cloud`. */
import { type FlagTable, parseDuration, parseHostPort } from '@skerry/base/flags';

const LEVELS = ['debug', 'info', 'warn', 'error'] as const;

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
    advertise: {
      text: 'Names and addresses, comma-separated, under which nodes and clients reach this cloud.',
      value: 'NAME[,IP]',
      parse: parseNames,
      fallback: '',
      fallbackText: 'the addresses of this machine',
    },
    'key-file': {
      text: 'The key that seals Secrets at rest.',
      value: 'FILE',
      parse: (text: string) => text,
      fallbackText: `a file in ${defaults.keyDir}`,
    },
    'rejoin-window': {
      text: 'How long after its expiry a node certificate may still be renewed.',
      value: 'DURATION',
      parse: parseDuration,
      fallback: 90 * 86_400_000,
      fallbackText: '90d',
    },
    'log-level': {
      text: `How much to log: ${LEVELS.join(', ')}.`,
      value: 'LEVEL',
      parse: parseLevel,
      fallback: 'info' as const,
    },
  } as const satisfies FlagTable;
}

function parseNames(text: string): string {
  const strange = text.split(',').find((name) => !/^[A-Za-z0-9.:_-]+$/.test(name));
  if (strange !== undefined) throw new Error(`${JSON.stringify(strange)} is neither a DNS name nor an address`);
  return text;
}

function parseLevel(text: string): (typeof LEVELS)[number] {
  const level = LEVELS.find((each) => each === text);
  if (level === undefined) throw new Error(`must be one of ${LEVELS.join(', ')}`);
  return level;
}
