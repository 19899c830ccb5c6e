/** What everything in the agent stands on: who this node is, its replica, its keys, and who may do what here. */
import type { ResourceRow, Sealer } from '@skerry/api';
import type { Replica } from '@skerry/kube/replica';
import { builtinKinds, ResourceTable } from '@skerry/kube/server';
import { isPattern, type NodeIdentity, parseJoinToken } from '@skerry/security/identity';
import { openPki, type Pki, privateKeyFromPem } from '@skerry/security/pki';
import { keyFileFor, openSealer } from '@skerry/security/secrets';
import { API_NAMES_IN_PODS } from '@skerry/workloads/edge';
import { type EdgePaths, edgePaths, makeFolders, onlyNode } from './data-dir.ts';
import { edgeErrors } from './errors.ts';
import { openIdentity } from './identity-keeper.ts';
import { type LocalAccess, openLocalAccess } from './local-access.ts';
import { openOwnReplica } from './own-replica.ts';
import type { EdgeOptions } from './run-edge.ts';
import { newWorkerToken, workerAuthorizer } from './worker-access.ts';

export interface Ground extends EdgeOptions {
  readonly node: string;
  readonly paths: EdgePaths;
  readonly identity: NodeIdentity;
  readonly sealer: Sealer;
  /** Of the node's own API. */
  readonly pki: Pki;
  readonly table: ResourceTable;
  readonly replica: Replica;
  readonly access: LocalAccess;
  /** Of this run of the agent, for the data worker. */
  readonly workerToken: string;
  /** Resolves when the replica shows all that concerns the node: at once, unless the node is new. */
  readonly level: Promise<void>;
}

/** Joins first if need be; whatever was opened is closed with `stack`. */
export async function layGround(options: EdgeOptions, stack: AsyncDisposableStack): Promise<Ground> {
  const { flags, token, clock, log } = options;
  const dataDir = flags['data-dir'];
  const node = chooseNode(dataDir, flags.node, token);
  const paths = edgePaths(dataDir, node);
  makeFolders(paths);
  const request = { node, addresses: flags.join, ...(token === undefined ? {} : { token }) };
  const identity = await openIdentity({ directory: paths.identity, clock, log }, request);
  const keyFile = flags['key-file'] ?? keyFileFor(options.keyDir, paths.home);
  const sealer = openSealer({ keyFile, checkFile: paths.keyCheck });
  const names = [flags.listen.host, ...API_NAMES_IN_PODS];
  const pki = openPki(paths.pki, { clock, names, anyClock: true });
  const table = new ResourceTable(builtinKinds());
  const rows = (): readonly ResourceRow[] => table.all().map(({ row }) => row);
  const { promise: level, resolve: onCurrent } = Promise.withResolvers<void>();
  const { identity: directory, replica: file } = paths;
  const opened = openOwnReplica({ dataDir, identity: directory, file, node, rows, sealer, onCurrent, clock, log });
  const replica = stack.adopt(opened, (each) => each.close());
  // A replica that has been whole once is what the node goes by, however old it is.
  if (replica.state.position().length > 0) onCurrent();
  const identityKey = privateKeyFromPem(identity.keyPem);
  const { store } = replica;
  const workerToken = newWorkerToken();
  const worker = { token: workerToken, authorizer: workerAuthorizer({ store, rows }) };
  const access = openLocalAccess({ node, store, pki, directory, identityKey, worker, clock, log });
  return { ...options, node, paths, identity, sealer, pki, table, replica, access, workerToken, level };
}

/** The flag's name, else the token's, else that of the one node that lives here. */
function chooseNode(dataDir: string, named: string | undefined, token: string | undefined): string {
  if (named !== undefined) return named;
  const inToken = token === undefined ? undefined : parseJoinToken(token).node;
  const node = inToken !== undefined && !isPattern(inToken) ? inToken : onlyNode(dataDir);
  if (node === undefined) throw edgeErrors.NOT_JOINED({ dir: dataDir });
  return node;
}
