/** Where rows come from. A source connects by itself, and anew when it is cut off; it never throws once it is open. */
import type { Clock, Logger } from '@skerry/base';
import type { RowWithMeta } from '../../engine/meta.ts';
import type { Secret } from '../secrets.ts';

export interface SourceTarget {
  /** Without `time`, the row is of when it comes. */
  row(row: RowWithMeta, time: number | undefined): void;
  /** Whether a source that can wait with its next row should. */
  isFull?(): boolean;
  /** A message that is no row. */
  failed(error: unknown): void;
  /** What is wrong with the source as a whole, in words; undefined: nothing. */
  problem(sentence: string | undefined): void;
  /** Nothing comes any more. */
  end(): void;
}

export interface Source {
  /** Of a source that can go back: where the next row is, as `open` takes it. Of others, what they need to know to go on. */
  position?(): unknown;
  close(): Promise<void>;
}

/** Keeps a message safe before its sender hears that it has arrived. */
export type KeepMessage = (topic: string, body: string) => Promise<unknown>;

export interface SourceContext {
  readonly namespace: string;
  /** Of the stream. */
  readonly name: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
  /** Where files of streams are. */
  readonly folder: string;
  readonly secret: Secret;
}
