/** This node's replica: opened for this process alone, and begun anew from the cloud when its file is damaged. */
import { existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { hasCode } from '@skerry/base';
import { openReplica, type Replica, type ReplicaOptions } from '@skerry/kube/replica';
import { readOptionalFile, writePrivateFile } from '@skerry/security/pki';
import { edgeErrors } from './errors.ts';

export interface OwnReplicaOptions extends ReplicaOptions {
  readonly dataDir: string;
  /** Holds what must survive the loss of the replica's file. */
  readonly identity: string;
}

/** What SQLite keeps beside its file. */
const COMPANIONS = ['', '-wal', '-shm'];

export function openOwnReplica(options: OwnReplicaOptions): Replica {
  return withKeptNumbers(openOrBeginAnew(options), join(options.identity, 'session-number'));
}

function openOrBeginAnew(options: OwnReplicaOptions): Replica {
  try {
    return openReplica(options);
  } catch (cause) {
    if (hasCode(cause, 'STORE_DAMAGED')) {
      setAside(options);
      return openReplica(options);
    }
    if (!hasCode(cause, 'STORE_LOCKED')) throw cause;
    const { node, dataDir } = options;
    throw edgeErrors.ALREADY_RUNNING({ node, dir: dataDir, holder: cause.facts['holder'] }, { cause });
  }
}

/**
 * The pods run on meanwhile: nothing is ended before the cloud has said what there is. What the node had not told the cloud yet
 * is in the file, which is kept for whoever can read it.
 */
function setAside({ file, clock, log }: OwnReplicaOptions): void {
  const aside = `${file}.damaged-${clock.now()}`;
  for (const companion of COMPANIONS) {
    if (existsSync(file + companion)) renameSync(file + companion, aside + companion);
  }
  log.error({ file, aside }, 'the replica is damaged and was set aside; the node gets its state anew from the cloud');
}

/** A node that comes without its number would be taken for a copy of itself, so it is kept in a second place. */
function withKeptNumbers(replica: Replica, file: string): Replica {
  const { store, state, outbox, sessionNumbers } = replica;
  return {
    store,
    state,
    outbox,
    outboxSize: () => replica.outboxSize(),
    close: () => replica.close(),
    sessionNumbers: {
      load: () => Math.max(sessionNumbers.load(), readNumber(file)),
      store: async (sessionNumber) => {
        writePrivateFile(file, String(sessionNumber));
        await sessionNumbers.store(sessionNumber);
      },
    },
  };
}

function readNumber(file: string): number {
  const number = Number(readOptionalFile(file));
  return Number.isSafeInteger(number) ? number : 0;
}
