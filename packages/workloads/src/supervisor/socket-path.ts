/** Unix socket addresses hold 107 bytes; data directories may be longer. Through a descriptor of the directory any path fits. */
import { closeSync, openSync } from 'node:fs';
import { basename, dirname } from 'node:path';

const MAX_SOCKET_PATH_BYTES = 107;

/** Calls `use` with an address for `path` that stays valid during the call. */
export function withSocketPath<T>(path: string, use: (address: string) => T): T {
  if (Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES) return use(path);
  const directory = openSync(dirname(path), 'r');
  try {
    return use(`/proc/self/fd/${directory}/${basename(path)}`);
  } finally {
    closeSync(directory);
  }
}
