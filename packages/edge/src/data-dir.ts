/** Where the agent keeps what: the one place that joins these paths. */
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { edgeErrors } from './errors.ts';

export interface EdgePaths {
  readonly home: string;
  /** Of a cloud that lives in the same data directory. */
  readonly cloud: readonly string[];
  /** The node's certificate and key, the keys of tokens. */
  readonly identity: string;
  /** CA and certificates of the node's own API. */
  readonly pki: string;
  readonly replica: string;
  readonly kubeconfig: string;
  readonly socket: string;
  /** Where workers get streams to the cloud. */
  readonly linkDoor: string;
  /** Where the data worker serves live values. */
  readonly values: string;
  /** Where drivers that are programs of others come to. */
  readonly drivers: string;
  /** What the data worker has sent to devices. */
  readonly writeLedger: string;
  /** What rules know, the files of streams, the node's time series. */
  readonly streams: string;
  /** Keys of OPC UA servers that are made here. */
  readonly opcUaKeys: string;
  readonly supervisor: string;
  readonly pods: string;
  readonly logs: string;
  readonly runtime: string;
  /** What was pulled, as it came. */
  readonly images: string;
  readonly keyCheck: string;
}

export function edgePaths(dataDir: string, node: string): EdgePaths {
  const home = join(dataDir, 'edge', node);
  const at = (name: string) => join(home, name);
  return {
    home,
    cloud: [join(dataDir, 'cloud'), join(dataDir, 'kubeconfig')],
    identity: at('identity'),
    pki: at('pki'),
    replica: at('replica.db'),
    kubeconfig: at('kubeconfig'),
    socket: at('api.sock'),
    linkDoor: at('link.sock'),
    values: at('values.sock'),
    drivers: at('drivers.sock'),
    writeLedger: at('writes.db'),
    streams: at('streams'),
    // Beside the node's other keys, where no container sees them.
    opcUaKeys: join(home, 'pki', 'opcua'),
    supervisor: at('supervisor'),
    pods: at('pods'),
    logs: at('logs'),
    runtime: at('runtime'),
    images: at('images'),
    keyCheck: at('key-check'),
  };
}

export function makeFolders(paths: EdgePaths): void {
  const { home, identity, pki, supervisor, logs, runtime } = paths;
  for (const folder of [home, identity, pki, supervisor, logs, runtime])
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  // Pods run as users of their own, which must reach their volumes through this folder; the volumes have their own modes.
  mkdirSync(paths.pods, { recursive: true, mode: 0o711 });
}

/**
 * What no container of this node may see. The node's directory as a whole: a socket that is made anew would come out from under a
 * cover of its own. Volumes are given from beneath. `keys`: the file that seals, or its directory.
 */
export function hiddenPaths({ home, cloud }: EdgePaths, keys: string): string[] {
  return [home, ...cloud, keys];
}

/** The one node that lives in the directory; an error with the choice when there are several. */
export function onlyNode(dataDir: string): string | undefined {
  const folder = join(dataDir, 'edge');
  const names = existsSync(folder) ? readdirSync(folder) : [];
  if (names.length > 1) throw edgeErrors.WHICH_NODE({ names: names.join(', '), dir: dataDir });
  return names[0];
}
