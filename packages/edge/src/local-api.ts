/** The node's own API: the same server as the cloud's, over the replica. */

import type { Sealer } from '@skerry/api';
import { type Clock, hasCode, type Logger } from '@skerry/base';
import { formatHostPort, type HostPort, listenAt } from '@skerry/base/flags';
import { formatKubeconfig } from '@skerry/kube/client';
import { edgeWritePolicy, type Replica } from '@skerry/kube/replica';
import {
  type ApiServer,
  createApiServer,
  type Listener,
  listenHttps,
  listenUnix,
  type ResourceTable,
} from '@skerry/kube/server';
import { createUpgradeHandler, type NodeDialer } from '@skerry/kube/streaming';
import { credentialToPem, type Pki, readOptionalFile, writePrivateFile } from '@skerry/security/pki';
import type { AskCloud } from './cloud-requests.ts';
import type { LocalAccess } from './local-access.ts';

export interface LocalApiOptions {
  readonly node: string;
  readonly replica: Replica;
  readonly table: ResourceTable;
  readonly sealer: Sealer;
  readonly access: LocalAccess;
  readonly dialer: NodeDialer;
  readonly ask: AskCloud;
  readonly clock: Clock;
  readonly log: Logger;
}

export function createLocalApi(options: LocalApiOptions): ApiServer {
  const { node, replica, table, sealer, access, dialer, ask, clock, log } = options;
  return createApiServer({
    store: replica.store,
    table,
    sealer,
    dialer,
    clock,
    log,
    authorizer: access.authorizer,
    access: access.hooks,
    replica: {
      forward: ask,
      writePolicy: edgeWritePolicy(node),
    },
  });
}

export interface ListenOptions {
  readonly api: ApiServer;
  readonly access: LocalAccess;
  readonly dialer: NodeDialer;
  readonly pki: Pki;
  readonly at: HostPort;
  readonly socket: string;
  readonly kubeconfig: string;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface LocalListeners {
  readonly address: HostPort;
  /** Serves at one more address of this host, too, at the same port if it is free there. */
  listenAlso(host: string): Promise<HostPort>;
  close(): Promise<void>;
}

/** Opens the TLS port and the unix socket, and writes the kubeconfig that leads to the former. */
export async function listenLocally(options: ListenOptions): Promise<LocalListeners> {
  const { api, access, dialer, pki, socket, kubeconfig, clock, log } = options;
  const common = {
    server: api,
    authenticator: access.authenticator,
    upgrades: createUpgradeHandler({ dialer, log }),
    clock,
    log,
  };
  const tls = { ...credentialToPem(pki.serving), ca: pki.caPem };
  const https = await listenOnPort(options.at, lastPort(kubeconfig), (port) =>
    listenHttps({ ...common, host: options.at.host, port, tls }),
  );
  const unix = await listenUnix({ ...common, path: socket });
  const address = { host: options.at.host, port: https.port ?? options.at.port };
  const server = `https://${formatHostPort(address)}`;
  writePrivateFile(kubeconfig, formatKubeconfig({ server, ca: pki.caPem, ...credentialToPem(pki.admin) }));
  const more: Listener[] = [];
  return {
    address,
    listenAlso: async (host) => {
      const also = await listenOnPort({ host, port: 0 }, address.port, (port) =>
        listenHttps({ ...common, host, port, tls }),
      );
      more.push(also);
      return { host, port: also.port ?? address.port };
    },
    close: async () => void (await Promise.all([https, unix, ...more].map((each) => each.close()))),
  };
}

/** The port of the last run is taken again when nobody asked for one: pods that run on have it in their environment. */
async function listenOnPort(
  at: HostPort,
  last: number | undefined,
  listen: (port: number) => Promise<Listener>,
): Promise<Listener> {
  if (at.port !== 0 || last === undefined) return listenAt('listen', at, () => listen(at.port));
  try {
    return await listen(last);
  } catch (error) {
    if (!isInUse(error)) throw error;
    return listen(0);
  }
}

function isInUse(error: unknown): boolean {
  return error instanceof Error && ('code' in error ? error.code === 'EADDRINUSE' : hasCode(error.cause, 'EADDRINUSE'));
}

function lastPort(kubeconfig: string): number | undefined {
  const port = /"server": "https:\/\/[^"]*:(\d+)"/.exec(readOptionalFile(kubeconfig) ?? '')?.[1];
  return port === undefined ? undefined : Number(port);
}
