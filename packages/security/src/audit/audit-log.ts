/**
 * The audit log. `append` only hashes and queues; a timer writes, syncs and signs the head a few times a second.
 * After a crash the lines of the last moment are there and chained, but not under the head yet: they are kept, and a line says so.
 */
import { mkdirSync } from 'node:fs';
import { rename, truncate } from 'node:fs/promises';
import type { AuditEvent, AuditLog } from '@skerry/api';
import { type Clock, type Logger, newNameSuffix, silentLogger, type Timer } from '@skerry/base';
import { errors } from '../errors.ts';
import { readOptionalFile } from '../pki/private-file.ts';
import { type ChainHead, type ChainPoint, formatLine, type HeadSigner, pointAfter, readHead, START } from './chain.ts';
import { DiskChain } from './disk-chain.ts';
import { headFile, listLogFiles } from './files.ts';
import { type AuditVerdict, chainFiles, verifyAuditLog } from './verify.ts';

export interface AuditLogOptions {
  readonly directory: string;
  readonly signer: HeadSigner;
  readonly clock: Clock;
  readonly log?: Logger;
  readonly maxFileBytes?: number;
  readonly maxFiles?: number;
  readonly flushMs?: number;
  /** Beyond so many queued bytes events are dropped and counted: a slow disk must not take the server's memory. */
  readonly maxPendingBytes?: number;
}

export interface FileAuditLog extends AuditLog {
  /** Resolves once all that was appended is on disk and under the head, or could not be written. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

const DEFAULT_FILE_BYTES = 64 * 1024 * 1024;
const DEFAULT_FILES = 10;
const DEFAULT_FLUSH_MS = 250;
const DEFAULT_PENDING_BYTES = 16 * 1024 * 1024;

/** Opens the log, or begins one. A log that was altered is reported and set aside; a new chain goes on with higher numbers. */
export async function openAuditLog(options: AuditLogOptions): Promise<FileAuditLog> {
  const { directory, signer, log = silentLogger } = options;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const headText = readOptionalFile(headFile(directory));
  const isNew = headText === undefined && listLogFiles(directory).length === 0;
  const verdict: AuditVerdict = isNew
    ? { ok: true, lines: 0, unanchored: 0, end: START }
    : await verifyAuditLog(directory, signer);
  const head = readHead(headText ?? '', signer) ?? { first: START, next: START };
  const start = await recover(directory, verdict, head);
  const limits = {
    maxFileBytes: options.maxFileBytes ?? DEFAULT_FILE_BYTES,
    maxFiles: options.maxFiles ?? DEFAULT_FILES,
  };
  const disk = new DiskChain({ directory, signer, ...limits }, start, await chainFiles(directory, start));
  if (isNew) await disk.begin();
  const opened = queueOnto(disk, start.next, options);
  const note = noteOf(verdict, new Date(options.clock.now()).toISOString());
  if (!verdict.ok) log.error({ ...verdict }, 'audit log was altered');
  if (note) opened.append(note);
  await opened.flush();
  return opened;
}

/** Where the chain goes on. An altered log keeps its evidence under other names. */
async function recover(directory: string, verdict: AuditVerdict, head: ChainHead): Promise<ChainHead> {
  if (verdict.ok) {
    if (verdict.torn) await truncate(verdict.torn.path, verdict.torn.bytes);
    return { first: head.first, next: verdict.end };
  }
  const mark = newNameSuffix();
  for (const { path } of listLogFiles(directory)) await rename(path, `${path}.altered-${mark}`);
  return { first: head.next, next: head.next };
}

function noteOf(verdict: AuditVerdict, time: string): AuditEvent | undefined {
  if (!verdict.ok) {
    const { file, line, problem } = verdict;
    return { time, user: 'system:audit', verb: 'altered', path: `${file}:${line}`, code: 500, reason: problem };
  }
  if (verdict.unanchored === 0) return undefined;
  return {
    time,
    user: 'system:audit',
    verb: 'recovered',
    path: 'head.json',
    code: 200,
    reason: `${verdict.unanchored} lines`,
  };
}

function queueOnto(disk: DiskChain, start: ChainPoint, options: AuditLogOptions): FileAuditLog {
  const { clock, log = silentLogger, flushMs = DEFAULT_FLUSH_MS, maxPendingBytes = DEFAULT_PENDING_BYTES } = options;
  let next = start;
  let pending: string[] = [];
  let pendingBytes = 0;
  let dropped = 0;
  let timer: Timer | undefined;
  let writing: Promise<void> = Promise.resolve();
  let isClosed = false;

  const enqueue = (event: AuditEvent): void => {
    const line = formatLine(event, next);
    next = pointAfter(next, line);
    pending.push(line);
    pendingBytes += line.length;
  };

  const append = (event: AuditEvent): void => {
    if (isClosed) return;
    if (pendingBytes >= maxPendingBytes) {
      dropped++;
      return;
    }
    if (dropped > 0) {
      enqueue({
        time: event.time,
        user: 'system:audit',
        verb: 'dropped',
        path: '',
        code: 500,
        reason: `${dropped} events`,
      });
      dropped = 0;
    }
    enqueue(event);
    timer ??= clock.after(flushMs, () => void flush(), { unref: true });
  };

  const writePending = async (): Promise<void> => {
    if (pending.length === 0) return;
    const [lines, after] = [pending, next];
    pending = [];
    try {
      await disk.append(lines, after);
      pendingBytes = pending.reduce((sum, line) => sum + line.length, 0);
    } catch (cause) {
      // Still queued, in order: the next turn tries again, and the queue's bound decides what is lost.
      pending = lines.concat(pending);
      log.error({ error: errors.AUDIT_WRITE({ directory: options.directory }, { cause }) }, 'audit log not written');
    }
  };

  const flush = (): Promise<void> => {
    timer?.cancel();
    timer = undefined;
    writing = writing.then(writePending);
    return writing;
  };

  const close = async (): Promise<void> => {
    await flush();
    isClosed = true;
    await disk.close();
  };
  return { append, flush, close };
}
