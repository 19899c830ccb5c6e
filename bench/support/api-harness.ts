/** Starts the API server in a process of its own and talks to it over TLS with a client lean enough not to be what is measured. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';

export interface BenchApi extends AsyncDisposable {
  readonly open: () => Promise<LeanClient>;
  readonly rssMb: () => number;
}

interface Facts {
  readonly port: number;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

export async function startApi(): Promise<BenchApi> {
  const directory = mkdtempSync(join(tmpdir(), 'skerry-bench-api-'));
  const child = fork(new URL('api-process.ts', import.meta.url), [directory], {
    execArgv: ['--conditions=source', '--disable-warning=ExperimentalWarning', ...profileFlags()],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const [facts] = (await once(child, 'message')) as [Facts];
  return {
    open: () => LeanClient.open(facts),
    rssMb: () => rssOf(child),
    [Symbol.asyncDispose]: async () => {
      child.disconnect();
      await once(child, 'exit');
      rmSync(directory, { recursive: true });
    },
  };
}

function profileFlags(): string[] {
  return process.argv.includes('--profile') ? ['--cpu-prof', '--cpu-prof-dir=.cache/profiles'] : [];
}

function rssOf({ pid }: ChildProcess): number {
  const statm = process.getBuiltinModule('node:fs').readFileSync(`/proc/${pid}/statm`, 'utf8');
  return Math.round((Number(statm.split(' ')[1]) * 4096) / 1e6);
}

export interface LeanAnswer {
  readonly status: number;
  readonly body: Buffer;
}

/** HTTP/1.1 over one TLS connection, one request at a time; understands content-length, and hands out chunks of what streams. */
export class LeanClient {
  readonly #socket: TLSSocket;
  #pending: Buffer = Buffer.alloc(0);
  #parts: Buffer[] = [];
  #size = 0;
  #resolve: ((answer: LeanAnswer) => void) | undefined;
  #head: { status: number; length: number } | undefined;
  #onChunk: ((chunk: Buffer) => void) | undefined;

  static async open({ port, ca, cert, key }: Facts): Promise<LeanClient> {
    const socket = connect({ host: '127.0.0.1', port, ca, cert, key, servername: 'localhost', noDelay: true } as never);
    await once(socket, 'secureConnect');
    return new LeanClient(socket);
  }

  constructor(socket: TLSSocket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', () => socket.destroy());
  }

  request(method: string, path: string, body?: string, contentType = 'application/json'): Promise<LeanAnswer> {
    const head = `${method} ${path} HTTP/1.1\r\nhost: localhost\r\naccept: application/json\r\nuser-agent: bench/1\r\n`;
    const tail =
      body === undefined
        ? '\r\n'
        : `content-type: ${contentType}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
    this.#socket.write(head + tail);
    return new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  /** A request whose answer does not end; every piece of it goes to `onChunk`. */
  stream(path: string, onChunk: (chunk: Buffer) => void): void {
    this.#onChunk = onChunk;
    this.#socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\naccept: application/json\r\n\r\n`);
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    if (this.#onChunk !== undefined) {
      this.#onChunk(chunk);
      return;
    }
    if (this.#head === undefined) {
      this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
      const end = this.#pending.indexOf('\r\n\r\n');
      if (end < 0) return;
      const head = this.#pending.toString('latin1', 0, end);
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
      this.#head = { status: Number(head.slice(9, 12)), length };
      this.#parts = [];
      this.#size = 0;
      chunk = this.#pending.subarray(end + 4);
      this.#pending = Buffer.alloc(0);
    }
    this.#parts.push(chunk);
    this.#size += chunk.length;
    if (this.#size < this.#head.length) return;
    const answer = { status: this.#head.status, body: Buffer.concat(this.#parts) };
    this.#head = undefined;
    this.#parts = [];
    this.#resolve?.(answer);
  }
}

/** Asks for all that holds before a figure: throws when an answer is not the one expected. */
export function expectStatus(answer: LeanAnswer, ...expected: readonly number[]): void {
  if (!expected.includes(answer.status)) throw new Error(`${answer.status}: ${answer.body.toString().slice(0, 300)}`);
}
