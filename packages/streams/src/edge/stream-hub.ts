/** Streams that several rules read: one source each, whose messages are decoded once. */
import { type Clock, type Logger, messageOf } from '@skerry/base';
import type { Client } from '@skerry/kube/client';
import { parseObjectKey } from '@skerry/kube/controller';
import type { RowWithMeta } from '../engine/meta.ts';
import type { StreamNodeStatus, StreamSpec } from '../kinds/stream.ts';
import { KeptStream } from './kept-stream.ts';
import type { MessageLog } from './message-log.ts';
import type { NodeValues } from './node-values.ts';
import { RateMeter } from './rate-meter.ts';
import { readSecret } from './secrets.ts';
import { isKept, openSource, secretNameOf } from './sources/open-source.ts';
import type { Source, SourceTarget } from './sources/source.ts';

export interface StreamReader {
  /** Of a rule, with its namespace. */
  readonly name: string;
  row(row: RowWithMeta, time: number | undefined): void;
  /** Whether it is better to wait with the next row, where that can be. */
  isFull(): boolean;
  end(): void;
}

export interface StreamHubOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
  readonly folder: string;
  readonly values: NodeValues;
  readonly messages: MessageLog;
}

export interface StreamName {
  readonly namespace: string;
  readonly name: string;
  readonly spec: StreamSpec;
}

export interface Reading {
  /** Where it is: what the same source is to be opened with, to go on from here. */
  position(): unknown;
  /** Nothing up to this position is needed any more: it is in a checkpoint. */
  saved(position: unknown): void;
  /** What is wrong with the source. */
  problem(): string | undefined;
  close(): Promise<void>;
}

const RETRY_MS = 2000;

export class StreamHub {
  readonly #options: StreamHubOptions;
  readonly #shared = new Map<string, OpenStream>();
  readonly #alone = new Set<OpenStream>();

  constructor(options: StreamHubOptions) {
    this.#options = options;
  }

  /** From now on. Readers of the same stream share it. */
  read(stream: StreamName, reader: StreamReader, position: unknown): Reading {
    const key = JSON.stringify([stream.namespace, stream.name, stream.spec]);
    let open = this.#shared.get(key);
    if (open === undefined) {
      open = new OpenStream(this.#options, stream, position);
      this.#shared.set(key, open);
    }
    const joined = open;
    joined.join(reader, position);
    // What it had when it left: that is what its last checkpoint is of.
    let left: unknown;
    const here = () => (joined.kept === undefined ? joined.position() : joined.kept.position(reader));
    return {
      position: () => left ?? here(),
      saved: (at) => joined.kept?.confirm(reader, at),
      problem: () => joined.trouble,
      close: async () => {
        left = here();
        if (joined.leave(reader)) return;
        if (this.#shared.get(key) === joined) this.#shared.delete(key);
        await joined.close();
      },
    };
  }

  /** By oneself, from a position on. */
  readAlone(stream: StreamName, reader: StreamReader, position: unknown): Reading {
    const open = new OpenStream(this.#options, stream, position);
    open.join(reader, undefined);
    this.#alone.add(open);
    return {
      position: () => open.position(),
      saved: () => {},
      problem: () => open.trouble,
      close: async () => {
        this.#alone.delete(open);
        await open.close();
      },
    };
  }

  /** Of streams that the rule does not read any more, nothing is kept for it. */
  retain(reader: string, streams: readonly StreamName[]): void {
    const kept = streams.filter(({ spec }) => isKept(spec)).map(({ namespace, name }) => `${namespace}/${name}`);
    this.#options.messages.retain(reader, new Set(kept));
  }

  /** Undefined while no rule reads it. Of rules that read it each for itself, the first says how it is. */
  statusOf(namespace: string, name: string): StreamNodeStatus | undefined {
    const open = [...this.#shared.values(), ...this.#alone];
    return open.find(({ stream }) => stream.namespace === namespace && stream.name === name)?.status();
  }
}

class OpenStream implements SourceTarget {
  readonly stream: StreamName;
  readonly #readers = new Set<StreamReader>();
  /** Of streams whose messages are kept. */
  readonly kept: KeptStream | undefined;
  trouble: string | undefined = 'it is being opened';
  readonly #options: StreamHubOptions;
  readonly #meter: RateMeter;
  readonly #closing = new AbortController();
  readonly #opening: Promise<void>;
  readonly #position: unknown;
  #source: Source | undefined;
  #failed = 0;
  #lastFailure = '';

  constructor(options: StreamHubOptions, stream: StreamName, position?: unknown) {
    this.stream = stream;
    this.#options = options;
    this.#position = position;
    this.#meter = new RateMeter(options.clock);
    const { namespace, name, spec } = stream;
    if (isKept(spec)) this.kept = new KeptStream(`${namespace}/${name}`, spec, options.messages, options.clock);
    this.#opening = this.#open(position);
  }

  join(reader: StreamReader, position: unknown): void {
    this.#readers.add(reader);
    this.kept?.join(reader, position);
  }

  /** Whether somebody else still reads. */
  leave(reader: StreamReader): boolean {
    this.#readers.delete(reader);
    this.kept?.leave(reader);
    return this.#readers.size > 0;
  }

  position(): unknown {
    return this.#source?.position?.() ?? this.#position;
  }

  row(row: RowWithMeta, time: number | undefined): void {
    this.#meter.add(1);
    for (const reader of this.#readers) reader.row(row, time);
  }

  isFull(): boolean {
    return [...this.#readers].some((reader) => reader.isFull());
  }

  failed(error: unknown): void {
    this.#failed++;
    this.#lastFailure = messageOf(error);
  }

  problem(sentence: string | undefined): void {
    this.trouble = sentence;
  }

  end(): void {
    for (const reader of this.#readers) reader.end();
  }

  status(): StreamNodeStatus {
    const { trouble } = this;
    if (this.kept !== undefined) return this.kept.status(trouble);
    return {
      state: trouble === undefined ? 'Running' : 'Waiting',
      lastError: trouble ?? this.#lastFailure,
      rows: this.#meter.total,
      rowsPerSecond: this.#meter.perSecond(),
      dropped: this.#failed === 0 ? {} : { Unreadable: this.#failed },
      rules: [...this.#readers].map(({ name }) => parseObjectKey(name).name),
    };
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#opening;
    await this.#source?.close();
  }

  async #open(position: unknown): Promise<void> {
    const { client, clock, values, ...rest } = this.#options;
    const { namespace, name, spec } = this.stream;
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        const secret = await readSecret(client, namespace, secretNameOf(spec));
        if (signal.aborted) return;
        this.trouble = undefined;
        const context = { ...rest, clock, namespace, name, secret };
        const keeping = this.kept;
        const keep = keeping === undefined ? {} : { keep: (topic: string, body: string) => keeping.keep(topic, body) };
        this.#source = openSource({ spec, target: this, context, values, position, ...keep });
        if (this.#source === undefined) this.trouble = 'the stream says no source';
        return;
      } catch (error) {
        this.trouble = `the source cannot be opened: ${messageOf(error)}`;
        await clock.sleep(RETRY_MS, signal).catch(() => {});
      }
    }
  }
}
