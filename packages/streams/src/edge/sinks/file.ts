/**
 * Results as lines of a file. What was written after the last checkpoint is cut off when the rule goes on from there, and written
 * anew: so each result stands in the file once.
 */
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { messageOf } from '@skerry/base';
import { plain } from '../../engine/rule/run-test.ts';
import type { Row } from '../../sql/index.ts';
import { pathIn } from '../folder.ts';
import { fieldsOf, messagesOf } from './format-row.ts';
import type { Sink, SinkContext } from './sink.ts';

interface Position {
  readonly size: number;
  /** Of the file that it is: one that was put aside meanwhile is another. */
  readonly inode: number;
  /** Of the one that was last put aside then. */
  readonly aside: number;
}

const DEFAULT_MAX_BYTES = 64 * 1024 * 1024;
const DEFAULT_KEEP = 5;
/** There was none then. */
const NO_FILE = 0;

export function fileSink(context: SinkContext): Sink {
  return new FileSink(context);
}

class FileSink implements Sink {
  readonly #context: SinkContext;
  readonly #path: string;
  readonly #maxBytes: number;
  readonly #keep: number;
  #descriptor: number | undefined;
  #size = 0;
  #rows = 0;
  #failures = 0;
  #dropped = 0;
  #lastError = '';

  constructor(context: SinkContext) {
    const { path = '', maxBytes = DEFAULT_MAX_BYTES, keep = DEFAULT_KEEP } = context.sink.file ?? {};
    this.#context = context;
    this.#maxBytes = maxBytes;
    this.#keep = keep;
    this.#path = pathIn(context.folder, path);
    this.#cutBack(context.saved as Position | undefined);
  }

  take(rows: readonly Row[]): void {
    try {
      const descriptor = this.#open();
      const text = this.#textOf(rows);
      this.#size += writeSync(descriptor, text);
      this.#rows += rows.length;
      this.#lastError = '';
    } catch (error) {
      this.#failures++;
      this.#dropped += rows.length;
      this.#lastError = messageOf(error);
    }
  }

  status(): { rows: number; failures: number; waiting: number; lastError: string } {
    return { rows: this.#rows, failures: this.#failures, waiting: 0, lastError: this.#lastError };
  }

  dropped(): number {
    return this.#dropped;
  }

  /** A file that is large is put aside here only, so that it happens once between two checkpoints. */
  save(): Position {
    if (this.#descriptor !== undefined && this.#size >= this.#maxBytes) this.#putAside();
    const aside = inodeOf(this.#named(1));
    if (this.#descriptor === undefined) {
      const { size, ino } = statSync(this.#path, { throwIfNoEntry: false }) ?? { size: 0, ino: NO_FILE };
      return { size, inode: ino, aside };
    }
    fsyncSync(this.#descriptor);
    const { size, ino } = fstatSync(this.#descriptor);
    return { size, inode: ino, aside };
  }

  async close(): Promise<void> {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  #open(): number {
    if (this.#descriptor !== undefined) return this.#descriptor;
    mkdirSync(dirname(this.#path), { recursive: true });
    this.#descriptor = openSync(this.#path, 'a');
    this.#size = fstatSync(this.#descriptor).size;
    return this.#descriptor;
  }

  #textOf(rows: readonly Row[]): string {
    const { sink } = this.#context;
    if (sink.file?.format !== 'Csv') return `${messagesOf(sink, rows).join('\n')}\n`;
    const lines = rows.map((row) => csvLine(Object.values(fieldsOf(sink, row))));
    const [first] = rows;
    const header = this.#size === 0 && first !== undefined ? [csvLine(Object.keys(fieldsOf(sink, first)))] : [];
    return `${[...header, ...lines].join('\n')}\n`;
  }

  /** The file becomes `.1`, that `.2`, and so on; the last one goes. */
  #putAside(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
    rmSync(this.#named(this.#keep), { force: true });
    for (let at = this.#keep - 1; at >= 0; at--)
      if (existsSync(this.#named(at))) renameSync(this.#named(at), this.#named(at + 1));
  }

  /** Also where the file has been put aside since. */
  #cutBack(position: Position | undefined): void {
    if (position === undefined) return;
    if (position.inode === NO_FILE) {
      if (inodeOf(this.#named(1)) !== position.aside) rmSync(this.#named(1), { force: true });
      cut(this.#path, 0);
      return;
    }
    if (inodeOf(this.#path) === position.inode) cut(this.#path, position.size);
    else if (inodeOf(this.#named(1)) === position.inode) {
      cut(this.#named(1), position.size);
      rmSync(this.#path, { force: true });
    }
  }

  #named(at: number): string {
    return at === 0 ? this.#path : `${this.#path}.${at}`;
  }
}

function inodeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.ino ?? NO_FILE;
}

function cut(path: string, size: number): void {
  const known = statSync(path, { throwIfNoEntry: false });
  if (known !== undefined && known.size > size) truncateSync(path, size);
}

function csvLine(values: readonly unknown[]): string {
  return values.map(csvField).join(',');
}

function csvField(value: unknown): string {
  const shown = plain(value);
  if (shown === undefined || shown === null) return '';
  const text = typeof shown === 'object' ? JSON.stringify(shown) : String(shown);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
