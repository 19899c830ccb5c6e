/** The chain on disk: appends batches of lines, then moves the signed head; rotates by size and removes the oldest files. */
import { constants } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { type ChainHead, type ChainPoint, formatHead, type HeadSigner } from './chain.ts';
import { headFile, type LogFile, logFile } from './files.ts';

export interface DiskChainOptions {
  readonly directory: string;
  readonly signer: HeadSigner;
  readonly maxFileBytes: number;
  readonly maxFiles: number;
}

/** A file of the log and where the chain enters it. */
export interface ChainFile extends LogFile {
  readonly start: ChainPoint;
}

export class DiskChain {
  readonly #options: DiskChainOptions;
  readonly #files: ChainFile[];
  #head: ChainHead;
  #open: { readonly handle: FileHandle; bytes: number } | undefined;

  /** `files` are those that the head covers, oldest first. */
  constructor(options: DiskChainOptions, head: ChainHead, files: readonly ChainFile[]) {
    this.#options = options;
    this.#head = head;
    this.#files = [...files];
  }

  /** Signs that there is nothing yet: from its first moment on, a log without a head was tampered with. */
  begin(): Promise<void> {
    return this.#writeHead(this.#head);
  }

  /** Resolves once the lines are on disk and the head covers them. After a rejection the same batch may be given again. */
  async append(lines: readonly string[], next: ChainPoint): Promise<void> {
    // Before the batch, so that a rotation that fails leaves nothing half done.
    if (this.#open && this.#open.bytes >= this.#options.maxFileBytes) await this.#rotate();
    const file = await this.#current();
    const bytes = Buffer.from(`${lines.join('\n')}\n`, 'utf8');
    // A batch that failed half-way is written over, not after.
    await file.handle.truncate(file.bytes);
    await writeAll(file.handle, bytes, file.bytes);
    await file.handle.datasync();
    await this.#writeHead({ first: this.#head.first, next });
    file.bytes += bytes.length;
  }

  async close(): Promise<void> {
    await this.#open?.handle.close();
    this.#open = undefined;
  }

  async #current(): Promise<{ readonly handle: FileHandle; bytes: number }> {
    if (this.#open) return this.#open;
    const last = this.#files.at(-1);
    const reopened = last && (await this.#openFile(last));
    if (reopened && reopened.bytes < this.#options.maxFileBytes) {
      this.#open = reopened;
      return reopened;
    }
    await reopened?.handle.close();
    const start = this.#head.next;
    const file = { ...logFile(this.#options.directory, start.seq), start };
    this.#open = await this.#openFile(file);
    if (last?.path !== file.path) this.#files.push(file);
    return this.#open;
  }

  async #openFile(file: LogFile): Promise<{ readonly handle: FileHandle; bytes: number }> {
    // Neither truncated nor in append mode: what is written where is decided by `bytes`.
    const handle = await open(file.path, CREATE_OR_WRITE, 0o600);
    return { handle, bytes: (await handle.stat()).size };
  }

  async #rotate(): Promise<void> {
    await this.close();
    const excess = this.#files.splice(0, Math.max(0, this.#files.length - this.#options.maxFiles + 1));
    const first = this.#files[0]?.start ?? this.#head.next;
    // The head moves first: a crash in between leaves files too many, never a gap.
    if (excess.length > 0) await this.#writeHead({ first, next: this.#head.next });
    for (const { path } of excess) await rm(path, { force: true });
  }

  async #writeHead(head: ChainHead): Promise<void> {
    const file = headFile(this.#options.directory);
    const draft = await open(`${file}.tmp`, 'w', 0o600);
    try {
      await draft.writeFile(formatHead(head, this.#options.signer));
      await draft.datasync();
    } finally {
      await draft.close();
    }
    await rename(`${file}.tmp`, file);
    this.#head = head;
  }
}

const CREATE_OR_WRITE = constants.O_RDWR | constants.O_CREAT;

async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}
