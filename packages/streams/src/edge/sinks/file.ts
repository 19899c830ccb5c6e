/**
 * Results as lines of a file. What was written after the last checkpoint is cut off when the rule goes on from there, and written
 * anew: so each result stands in the file once.
 */
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { messageOf } from '@skerry/base';
import { plain } from '../../engine/rule/run-test.ts';
import type { RuleSink } from '../../kinds/rule.ts';
import type { Row } from '../../sql/index.ts';
import { splitCsv } from '../decode.ts';
import { pathIn } from '../folder.ts';
import { messagesOf } from './format-row.ts';
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
/** A header of CSV may be so long. */
const MAX_HEADER_BYTES = 65_536;

export function fileSink(context: SinkContext): Sink {
  return new FileSink(context);
}

class FileSink implements Sink {
  readonly #context: SinkContext;
  readonly #path: string;
  readonly #maxBytes: number;
  readonly #keep: number;
  #descriptor: number | undefined;
  /** Of a file of CSV with a header. */
  #columns: readonly string[] | undefined;
  /** A file that was put aside after a checkpoint is known to that which follows; of two, one would not be. */
  #mayPutAside = false;
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
      const { size } = fstatSync(descriptor);
      appendWhole(descriptor, this.#textOf(rows, descriptor, size), size);
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

  /** A file that is large is put aside here only, so that it happens once between two checkpoints that are safe. */
  save(): Position {
    if (this.#mayPutAside && this.#descriptor !== undefined && fstatSync(this.#descriptor).size >= this.#maxBytes)
      this.#putAside();
    const aside = inodeOf(this.#named(1));
    if (this.#descriptor === undefined) {
      const { size, ino } = statSync(this.#path, { throwIfNoEntry: false }) ?? { size: 0, ino: NO_FILE };
      return { size, inode: ino, aside };
    }
    fsyncSync(this.#descriptor);
    const { size, ino } = fstatSync(this.#descriptor);
    return { size, inode: ino, aside };
  }

  saved(): void {
    this.#mayPutAside = true;
  }

  async close(): Promise<void> {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  #open(): number {
    if (this.#descriptor !== undefined) return this.#descriptor;
    mkdirSync(dirname(this.#path), { recursive: true });
    this.#descriptor = openSync(this.#path, 'a+');
    return this.#descriptor;
  }

  #textOf(rows: readonly Row[], descriptor: number, size: number): string {
    const { sink } = this.#context;
    if (sink.file?.format !== 'Csv') return `${messagesOf(sink, rows).join('\n')}\n`;
    if (size === 0) this.#columns = undefined;
    this.#columns ??= size > 0 ? headerIn(descriptor) : columnsOf(sink, rows);
    const columns = this.#columns;
    const lines = rows.map((row) => csvLine(columns.map((column) => row[column])));
    return `${[...(size === 0 ? [csvLine(columns)] : []), ...lines].join('\n')}\n`;
  }

  /** The file becomes `.1`, that `.2`, and so on; the last one goes. */
  #putAside(): void {
    this.#mayPutAside = false;
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

/** All of it or nothing: before a disk is full, it takes a part of a line. */
function appendWhole(descriptor: number, text: string, size: number): void {
  const bytes = Buffer.from(text);
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at);
  } catch (error) {
    ftruncateSync(descriptor, size);
    throw error;
  }
}

function headerIn(descriptor: number): readonly string[] {
  const buffer = Buffer.alloc(MAX_HEADER_BYTES);
  const text = buffer.toString('utf8', 0, readSync(descriptor, buffer, 0, MAX_HEADER_BYTES, 0));
  const [line = ''] = text.split(/\r?\n/, 1);
  return splitCsv(line, ',');
}

/** Those that the sink wants, or those of the first row. */
function columnsOf({ fields = [] }: RuleSink, [first = {}]: readonly Row[]): readonly string[] {
  return fields.length > 0 ? fields : Object.keys(first);
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
