/** What everything in the cloud stands on: its files opened, its kinds known, and who may do what. */
import { rmSync } from 'node:fs';
import type { ResourceRow, Sealer } from '@skerry/api';
import { type Clock, hasCode, type Logger } from '@skerry/base';
import { type Concerns, openConcerns } from '@skerry/kube/replica';
import { builtinKinds, ResourceTable } from '@skerry/kube/server';
import { openStore, type Store } from '@skerry/kube/store';
import { type FileAuditLog, keySigner, openAuditLog } from '@skerry/security/audit';
import type { Revocations } from '@skerry/security/identity';
import { openPki, type Pki } from '@skerry/security/pki';
import { keyFileFor, openSealer } from '@skerry/security/secrets';
import { type Access, openAccess } from './access.ts';
import { type CloudPaths, cloudPaths, makeFolders } from './data-dir.ts';
import { cloudErrors } from './errors.ts';
import { followRevocations } from './identity.ts';
import { advertisedNames } from './machine-names.ts';
import type { CloudOptions } from './run-cloud.ts';

export interface Ground extends CloudOptions {
  readonly paths: CloudPaths;
  readonly keyFile: string;
  /** Under which nodes and clients reach this cloud. */
  readonly names: readonly string[];
  readonly store: Store;
  readonly sealer: Sealer;
  readonly pki: Pki;
  readonly audit: FileAuditLog;
  readonly revocations: Revocations;
  readonly table: ResourceTable;
  readonly rows: () => readonly ResourceRow[];
  readonly concerns: Concerns;
  readonly access: Access;
}

/** Opens in the order of dependence; whatever was opened is closed with `stack`, last first. */
export async function layGround(options: CloudOptions, stack: AsyncDisposableStack): Promise<Ground> {
  const { flags, clock, log } = options;
  const paths = cloudPaths(flags['data-dir']);
  makeFolders(paths);
  // The store's lock comes first: a second cloud in the same directory touches neither its keys nor its audit log.
  const store = stack.adopt(openAlone(paths, clock, log), (opened) => opened.close());
  rmSync(paths.backups, { recursive: true, force: true });
  const keyFile = flags['key-file'] ?? keyFileFor(options.keyDir, paths.root);
  const sealer = openSealer({ keyFile, checkFile: paths.keyCheck });
  const names = advertisedNames(flags.advertise, flags.listen);
  const pki = openPki(paths.pki, { clock, names });
  const signer = keySigner(pki.authority.key);
  const audit = stack.adopt(await openAuditLog({ directory: paths.audit, signer, clock, log }), (opened) =>
    opened.close(),
  );
  const revocations = followRevocations(store);
  const table = new ResourceTable(builtinKinds());
  const rows = () => table.all().map(({ row }) => row);
  const concerns = stack.use(openConcerns({ store, rows, log }));
  stack.use(table.onChange(() => concerns.refresh()));
  const access = openAccess({
    store,
    pki,
    clock,
    rows,
    concerns: (node, key) => concerns.concerns(node, key),
    isRevoked: (certificate) => revocations.isRevoked(certificate),
  });
  return { ...options, paths, keyFile, names, store, sealer, pki, audit, revocations, table, rows, concerns, access };
}

function openAlone({ root, store }: CloudPaths, clock: Clock, log: Logger): Store {
  try {
    return openStore({ file: store, clock, log });
  } catch (cause) {
    if (hasCode(cause, 'STORE_DAMAGED')) throw cloudErrors.DAMAGED({ file: store, dir: root }, { cause });
    if (!hasCode(cause, 'STORE_LOCKED')) throw cause;
    throw cloudErrors.ALREADY_RUNNING({ dir: root, holder: cause.facts['holder'] }, { cause });
  }
}
