/** One supervisor a directory. The lock names its holder by pid, start time and boot, so a stale one is known for what it is. */
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { errors } from './errors.ts';
import { identify, isAlive } from './identity.ts';
import type { ProcessIdentity } from './protocol.ts';

const ATTEMPTS = 5;

/** Throws ALREADY_RUNNING while another lives. The lock ends with the process. */
export function takeLock(path: string, directory: string, bootId: string): void {
  const own = identify(process.pid, bootId);
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, JSON.stringify(own), { mode: 0o600 });
  try {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (tryLink(draft, path)) return;
      const holder = readHolder(path);
      if (holder !== undefined && isAlive(holder, bootId)) {
        throw errors.ALREADY_RUNNING({ pid: holder.pid, directory });
      }
      rmSync(path, { force: true });
    }
    throw errors.ALREADY_RUNNING({ pid: 0, directory });
  } finally {
    rmSync(draft, { force: true });
  }
}

/** A link is made whole or not at all, and never over an existing file. */
function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function readHolder(path: string): ProcessIdentity | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as ProcessIdentity;
  } catch {
    return undefined;
  }
}
