/** What both shores know of the volumes that are directories of a node. */
import type { KubeObject } from '@skerry/api';

export const LOCAL_PATH = 'skerry.io/local-path';
const PROVISIONED_BY = 'pv.kubernetes.io/provisioned-by';

/** Holds a volume that is to be deleted until its node has removed the data. */
export const DATA_FINALIZER = 'skerry.io/local-path';
/** `status.reason` by which the node says that the data is gone. */
export const DATA_REMOVED = 'DataRemoved';

export function provisionedByUs(): Record<string, string> {
  return { [PROVISIONED_BY]: LOCAL_PATH };
}

export function isProvisioned({ metadata }: KubeObject): boolean {
  return metadata.annotations?.[PROVISIONED_BY] === LOCAL_PATH;
}
