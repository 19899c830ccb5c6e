/** The flags of `skerry edge`. */
import { type FlagTable, formatHostPort, logLevelFlag, parseDuration, parseHostPort } from '@skerry/base/flags';
import { evictionFlags } from './eviction-flags.ts';

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
    'containerd-socket': {
      text: 'Where a container runtime answers (CRI v1); without one the node runs processes only.',
      value: 'PATH',
      parse: (text: string) => text,
      fallback: '/run/containerd/containerd.sock',
    },
    'static-pods': {
      text: 'A folder of manifests, YAML or JSON, one pod a file, that this node runs by itself.',
      value: 'DIR',
      parse: (text: string) => text,
    },
    services: {
      text: 'Whether this node leads pods to Services and answers cluster names; off where something else does.',
      value: 'on|off',
      parse: parseSwitch,
      fallback: 'on' as const,
    },
    'node-lease-duration': {
      text: "How long the node's lease says that it lives; renewed four times in that time.",
      value: 'DURATION',
      parse: parseDuration,
      fallback: 40_000,
      fallbackText: '40s',
    },
    ...evictionFlags,
    'log-level': logLevelFlag,
  } as const satisfies FlagTable;
}

function parseSwitch(text: string): 'on' | 'off' {
  if (text === 'on' || text === 'off') return text;
  throw new Error('on or off');
}

function parseNodeName(text: string): string {
  if (/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(text)) return text;
  throw new Error('a node name has lower-case letters, digits, - and ., such as edge-1');
}
