/** Where the cloud keeps what: the one place that joins these paths. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

export interface CloudPaths {
  readonly root: string;
  readonly kubeconfig: string;
  readonly store: string;
  readonly pki: string;
  readonly audit: string;
  /** Copies of the store while backups are made of them; what is there at a start was left by a crash. */
  readonly backups: string;
  /** Images that were pushed to this cloud or passed through it. */
  readonly registry: string;
  /** Time series that nodes brought. */
  readonly series: string;
  /** What waits for engines of others. */
  readonly outlets: string;
  /** Files that outlets write. */
  readonly exports: string;
  /** Tells a wrong key before any Secret is touched. */
  readonly keyCheck: string;
}

export function cloudPaths(root: string): CloudPaths {
  const home = join(root, 'cloud');
  return {
    root,
    kubeconfig: join(root, 'kubeconfig'),
    store: join(home, 'store.db'),
    pki: join(home, 'pki'),
    audit: join(home, 'audit'),
    backups: join(home, 'backups'),
    registry: join(home, 'registry'),
    series: join(home, 'series'),
    outlets: join(home, 'outlets.db'),
    exports: join(home, 'exports'),
    keyCheck: join(home, 'key-check'),
  };
}

export function makeFolders(paths: CloudPaths): void {
  for (const folder of [paths.root, join(paths.root, 'cloud'), paths.pki, paths.audit]) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }
}
