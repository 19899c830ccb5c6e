/** Keeps processes: starts them, reads their output, notes their end, and takes over those that an earlier supervisor started. */
import { existsSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import type { Clock, Logger, Timer } from '@skerry/base';
import { type Cgroups, groupOf } from './cgroup.ts';
import { LogWriter } from './cri-log.ts';
import { errors } from './errors.ts';
import {
  destroyStreams,
  drainOutputs,
  type FifoPool,
  makeStreams,
  openOutputs,
  openStdin,
  type Streams,
} from './fifo.ts';
import { killHolders } from './holders.ts';
import { isAlive, type PinnedNamespace, pinMountNamespace, signalProcess } from './identity.ts';
import { launch } from './launch.ts';
import { killTree, measureTrees, type ProcessTree } from './process-tree.ts';
import type {
  ExitInfo,
  FurtherCommand,
  LaunchSpec,
  ProcessRecord,
  ResourceLimits,
  StartRequest,
  Usage,
} from './protocol.ts';
import { commandBeside, recordOf } from './record-of.ts';
import type { RecordStore, StoredRecord } from './records.ts';
import { handoverFile, resizeTerminal, type SelfCommand, withTerminal } from './tty.ts';

const ADOPTED_POLL_MS = 250;
/** A full disk may have room again; the end of a process is written down then. */
const SAVE_RETRY_MS = 5000;
const MAX_SAVE_RETRIES = 720;
const MAX_PROCESSES = 4096;
const ID_FORMAT = /^[a-z0-9][a-z0-9-]{0,62}$/;

export type OutputListener = (stream: 'stdout' | 'stderr', chunk: Buffer) => void;

export interface KeeperOptions {
  readonly records: RecordStore;
  readonly fifos: FifoPool;
  readonly cgroups: Cgroups | undefined;
  readonly bootId: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly self: SelfCommand;
  readonly onExit: (record: ProcessRecord) => void;
}

interface Kept {
  record: StoredRecord;
  streams?: Streams;
  writer?: LogWriter;
  /** Only where there is no control group to hold the tree together. */
  namespace?: PinnedNamespace;
  readonly listeners: Set<OutputListener>;
  /** Resolves once the end is on disk, or the disk has refused it for now. */
  readonly ended: PromiseWithResolvers<void>;
}

export class Keeper {
  readonly #options: KeeperOptions;
  readonly #kept = new Map<string, Kept>();
  readonly #starting = new Map<string, Promise<unknown>>();
  readonly #adopted = new Set<Kept>();
  #poll: Timer | undefined;

  constructor(options: KeeperOptions) {
    this.#options = options;
    const { records, cgroups, log } = options;
    const unfinished = (id: string, directory: string): void => {
      log.info({ id, ended: killHolders(directory) }, 'start that nobody was told of undone');
      cgroups?.remove(id);
    };
    for (const record of records.readAll(unfinished)) {
      try {
        this.#takeOver(record);
      } catch (error) {
        log.error({ id: record.id, error }, 'process cannot be taken over');
      }
    }
    this.#schedulePoll();
  }

  list(): ProcessRecord[] {
    return Array.from(this.#kept.values(), ({ record }) => published(record));
  }

  get running(): number {
    return this.list().filter((record) => record.exit === undefined).length + this.#starting.size;
  }

  async start(request: StartRequest): Promise<ProcessRecord> {
    const { id } = request;
    if (!ID_FORMAT.test(id)) throw errors.BAD_MESSAGE({ what: 'process id' });
    if (this.#kept.has(id) || this.#starting.has(id)) throw errors.EXISTS({ id });
    if (this.#kept.size >= MAX_PROCESSES) throw errors.BUSY({ count: this.#kept.size });
    const started = this.#start(request);
    this.#starting.set(id, started);
    try {
      return await started;
    } catch (error) {
      this.#undo(id);
      throw error;
    } finally {
      this.#starting.delete(id);
    }
  }

  /** Resolves when no start is under way: whoever takes over from another then sees all there is. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#starting.values());
  }

  signal(id: string, signal: NodeJS.Signals): void {
    const { record } = this.#find(id);
    if (record.exit !== undefined) return;
    signalProcess(record.main, this.#options.bootId, signal);
  }

  /** Ends the process and everything it started. Resolves once its end is on disk, or the disk has refused it. */
  async kill(id: string): Promise<ProcessRecord> {
    const kept = this.#find(id);
    if (kept.record.exit === undefined) {
      await killTree(treeOf(kept), this.#options.cgroups, this.#options.clock);
      await kept.ended.promise;
    }
    return published(kept.record);
  }

  remove(id: string): void {
    const kept = this.#kept.get(id);
    if (kept === undefined) return;
    if (kept.record.exit === undefined) throw errors.STILL_RUNNING({ id });
    this.#kept.delete(id);
    this.#options.records.remove(id);
    this.#options.cgroups?.remove(id);
  }

  /** Other bounds from now on, where there are any: without control groups nothing is bounded. */
  limit(id: string, limits: ResourceLimits): void {
    const { record } = this.#find(id);
    if (record.exit === undefined) this.#options.cgroups?.limit(id, limits);
  }

  usage(): Usage[] {
    const { cgroups } = this.#options;
    const running = [...this.#kept.values()].filter(({ record }) => record.exit === undefined);
    if (cgroups === undefined) return measureTrees(running.map(treeOf));
    return running.map(({ record }) => cgroups.usage(record.id)).filter((usage) => usage !== undefined);
  }

  resize(id: string, columns: number, rows: number): boolean {
    const { record } = this.#find(id);
    return record.tty === true && resizeTerminal(record.main.pid, columns, rows);
  }

  /** How a further command starts beside a running process. */
  launchBeside(id: string, further: FurtherCommand): LaunchSpec {
    const kept = this.#find(id);
    if (kept.record.exit !== undefined) throw errors.NOT_RUNNING({ id });
    return commandBeside(kept.record, further);
  }

  /** For an attached client: the live output, standard input, and the end. */
  attach(id: string): AttachedProcess {
    const kept = this.#find(id);
    if (kept.record.exit !== undefined) throw errors.NOT_RUNNING({ id });
    return {
      ...(kept.streams?.stdin === undefined ? {} : { stdin: kept.streams.stdin }),
      stdinOnce: kept.record.stdinOnce === true,
      ended: kept.ended.promise.then(() => kept.record.exit?.code ?? 0),
      listen: (listener) => {
        kept.listeners.add(listener);
        return () => kept.listeners.delete(listener);
      },
    };
  }

  close(): void {
    this.#poll?.cancel();
    for (const { streams } of this.#kept.values()) destroyStreams(streams);
  }

  async #start(request: StartRequest): Promise<ProcessRecord> {
    const directory = this.#options.records.makeDirectory(request.id);
    const writer = this.#writerOf(request);
    writer.open();
    try {
      return await this.#launch(request, directory, writer);
    } catch (error) {
      await writer.close();
      throw error;
    }
  }

  async #launch(request: StartRequest, directory: string, writer: LogWriter): Promise<ProcessRecord> {
    const { records, fifos, cgroups, bootId, clock, self } = this.#options;
    const { id } = request;
    cgroups?.create(id, request.limits ?? {});
    await makeStreams(fifos, directory, request);
    const spec = request.tty ? withTerminal(underTerminal(request), handoverFile(id), self) : request;
    const { main, monitor, streams, exited } = await launch(spec, {
      bootId,
      directory,
      clock,
      ...groupOf(cgroups, id),
    });
    const record = recordOf(request, { main, monitor, startedAt: clock.now() });
    try {
      records.write(record);
    } catch (error) {
      destroyStreams(streams);
      await killTree({ id, main }, cgroups, clock);
      throw error;
    }
    const kept = this.#keep(record, writer, streams);
    exited
      .then((code) => this.#finish(kept, { code, finishedAt: clock.now() }))
      .catch((error: unknown) => this.#options.log.error({ id, error }, 'end of process not recorded'));
    return published(record);
  }

  /** Ends what a failed start left, so that the next one does not add to it. */
  #undo(id: string): void {
    const { records, cgroups } = this.#options;
    const directory = records.directoryOf(id);
    if (existsSync(directory)) killHolders(directory);
    cgroups?.remove(id);
    records.remove(id);
  }

  #writerOf({ log }: Pick<StoredRecord, 'log'>): LogWriter {
    return new LogWriter(log, () => this.#options.clock.now(), this.#options.log);
  }

  #keep(record: StoredRecord, writer: LogWriter, streams?: Streams): Kept {
    const opened = streams === undefined ? {} : { streams };
    const kept: Kept = { record, ...opened, writer, listeners: new Set(), ended: Promise.withResolvers() };
    this.#kept.set(record.id, kept);
    if (this.#options.cgroups === undefined && record.monitor !== undefined) pin(kept);
    if (streams !== undefined) pump(kept, 'stdout', streams.stdout, writer);
    if (streams?.stderr !== undefined) pump(kept, 'stderr', streams.stderr, writer);
    return kept;
  }

  /** Whatever fails on the way, the end is told: a process that nobody hears of would run for ever. */
  async #finish(kept: Kept, exit: ExitInfo): Promise<void> {
    const { id } = kept.record;
    const isOutOfMemory = exit.code === 137 && this.#options.cgroups?.isOutOfMemory(id) === true;
    await this.#release(kept).catch((error: unknown) =>
      this.#options.log.error({ id, error }, 'what an ended process left could not be cleared'),
    );
    const { env: _secrets, ...launch } = kept.record.launch;
    kept.record = { ...kept.record, launch, exit: isOutOfMemory ? { ...exit, reason: 'OOMKilled' } : exit };
    this.#adopted.delete(kept);
    this.#save(kept);
    kept.ended.resolve();
    this.#options.onExit(published(kept.record));
  }

  /** Writes an end down; when the disk refuses, again later while the process is still known. */
  #save(kept: Kept, retries = MAX_SAVE_RETRIES): void {
    const { clock, log, records } = this.#options;
    const { id } = kept.record;
    if (this.#kept.get(id) !== kept) return;
    try {
      records.write(kept.record);
    } catch (error) {
      if (retries === MAX_SAVE_RETRIES) log.error({ id, error }, 'end of process not recorded');
      if (retries > 0) clock.after(SAVE_RETRY_MS, () => this.#save(kept, retries - 1), { unref: true });
    }
  }

  async #release(kept: Kept): Promise<void> {
    const { cgroups, clock } = this.#options;
    const { id } = kept.record;
    // Like a container: when its first process ends, whatever it left behind ends with it.
    await killTree(treeOf(kept), cgroups, clock);
    kept.namespace?.release();
    rmSync(handoverFile(id), { force: true });
    if (kept.streams !== undefined) await drainOutputs(kept.streams, clock);
    destroyStreams(kept.streams);
    await kept.writer?.close();
    delete kept.streams;
    delete kept.writer;
    delete kept.namespace;
    cgroups?.remove(id);
  }

  /** A record of an earlier supervisor: it runs on, it ended meanwhile, or it ended with the machine. */
  #takeOver(record: StoredRecord): void {
    const { bootId, log } = this.#options;
    if (record.exit === undefined && isAlive(record.monitor ?? record.main, bootId)) {
      this.#adopt(record);
      return;
    }
    const exit = record.exit ?? this.#lostExit(record);
    const kept: Kept = { record: { ...record, exit }, listeners: new Set(), ended: Promise.withResolvers() };
    kept.ended.resolve();
    this.#kept.set(record.id, kept);
    if (record.exit === undefined) {
      this.#save(kept);
      log.info({ id: record.id, code: exit.code, reason: exit.reason }, 'process ended without a supervisor');
    }
  }

  #adopt(record: StoredRecord): void {
    this.#adopted.add(this.#keep(record, this.#writerOf(record), this.#reopenStreams(record)));
    this.#options.log.info({ id: record.id, pid: record.main.pid }, 'process adopted');
  }

  /** Undefined when its pipes are gone: it can still be seen and ended. */
  #reopenStreams(record: StoredRecord): Streams | undefined {
    const directory = this.#options.records.directoryOf(record.id);
    try {
      const stdin = openStdin(directory, record);
      return { ...(stdin === undefined ? {} : { stdin }), ...openOutputs(directory, record) };
    } catch (error) {
      this.#options.log.error({ id: record.id, error }, 'output of an adopted process is lost');
      return undefined;
    }
  }

  #lostExit(record: StoredRecord): ExitInfo {
    const status = this.#options.records.readStatus(record.id);
    if (status !== undefined) return status;
    const finishedAt = this.#options.clock.now();
    if (record.main.bootId !== this.#options.bootId) return { code: 255, reason: 'NodeRebooted', finishedAt };
    return { code: 137, reason: 'ContainerStatusUnknown', finishedAt };
  }

  /** Only a parent is told of an end; for adopted processes the supervisor has to look. */
  #schedulePoll(): void {
    if (this.#adopted.size === 0) return;
    this.#poll = this.#options.clock.after(ADOPTED_POLL_MS, () => {
      const gone = [...this.#adopted].filter(
        ({ record }) => !isAlive(record.monitor ?? record.main, this.#options.bootId),
      );
      for (const kept of gone) {
        this.#adopted.delete(kept);
        this.#finish(kept, this.#lostExit(kept.record)).catch((error: unknown) =>
          this.#options.log.error({ id: kept.record.id, error }, 'end of process not recorded'),
        );
      }
      this.#schedulePoll();
    });
  }

  #find(id: string): Kept {
    const kept = this.#kept.get(id);
    if (kept === undefined) throw errors.NOT_FOUND({ id });
    return kept;
  }
}

export interface AttachedProcess {
  readonly stdin?: Socket;
  readonly stdinOnce: boolean;
  readonly ended: Promise<number>;
  listen(listener: OutputListener): () => void;
}

function pin(kept: Kept): void {
  const namespace = pinMountNamespace(kept.record.main.pid);
  if (namespace !== undefined) kept.namespace = namespace;
}

function treeOf({ record: { id, main }, namespace }: Kept): ProcessTree {
  return { id, main, ...(namespace === undefined ? {} : { namespace }) };
}

/** A sandbox with a root of its own lacks what makes a terminal, so it is made within the terminal. */
function underTerminal(request: StartRequest): LaunchSpec {
  const { enter = [], sandbox = [], join, argv, ...rest } = request;
  if (join === undefined) return request;
  return { ...rest, argv: [...enter, ...sandbox, '--die-with-parent', '--', ...argv] };
}

/** What the agent gets to see of a record. */
function published({ launch: _launch, ...record }: StoredRecord): ProcessRecord {
  return record;
}

/** From the pipe into the log, and to whoever is attached; a slow disk holds the process back, a slow reader does not. */
function pump(kept: Kept, name: 'stdout' | 'stderr', stream: Socket, writer: LogWriter): void {
  stream.on('data', (chunk: Buffer) => {
    writer.append(name, chunk);
    for (const listener of kept.listeners) listener(name, chunk);
    if (!writer.isFull) return;
    stream.pause();
    writer.onRoom(() => stream.resume());
  });
}
