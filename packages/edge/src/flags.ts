/** The flags of `skerry edge`. */
import { type FlagTable, formatHostPort, parseHostPort } from '@skerry/base/flags';

const LEVELS = ['debug', 'info', 'warn', 'error'] as const;

export function edgeFlags(defaults: { readonly dataDir: string; readonly keyDir: string }) {
  return {
    'data-dir': {
      text: 'Where everything is kept.',
      value: 'DIR',
      parse: (text: string) => text,
      fallback: defaults.dataDir,
    },
    token: {
      text: "The token of 'skerry token create'; needed once, to join.",
      value: 'TOKEN',
      parse: (text: string) => text,
    },
    node: {
      text: "This node's name, where the token names a pattern or several nodes live in the directory.",
      value: 'NAME',
      parse: parseNodeName,
    },
    join: {
      text: 'Address of the cloud, instead of those in the token; may be repeated.',
      value: 'HOST:PORT',
      repeatable: true as const,
      parse: (text: string) => formatHostPort(parseHostPort(text)),
    },
    listen: {
      text: "Address of the node's own API.",
      value: 'HOST:PORT',
      parse: parseHostPort,
      fallback: { host: '127.0.0.1', port: 0 },
      fallbackText: 'a free port of 127.0.0.1, kept from then on',
    },
    'key-file': {
      text: 'The key that seals Secrets at rest.',
      value: 'FILE',
      parse: (text: string) => text,
      fallbackText: `a file in ${defaults.keyDir}`,
    },
    'log-level': {
      text: `How much to log: ${LEVELS.join(', ')}.`,
      value: 'LEVEL',
      parse: parseLevel,
      fallback: 'info' as const,
    },
  } as const satisfies FlagTable;
}

function parseNodeName(text: string): string {
  if (/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(text)) return text;
  throw new Error('a node name has lower-case letters, digits, - and ., such as edge-1');
}

function parseLevel(text: string): (typeof LEVELS)[number] {
  const level = LEVELS.find((each) => each === text);
  if (level === undefined) throw new Error(`must be one of ${LEVELS.join(', ')}`);
  return level;
}
