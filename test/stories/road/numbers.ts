/** A device whose values are numbered: it tells each to a broker, which keeps it until whoever reads has said that it has it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, freePort } from '@skerry/testkit/processes';

export const TOPIC = 'numbers';
const EVERY_MS = 10;
const AT_ONCE = 5;

export class Numbers implements AsyncDisposable {
  readonly server: string;
  /** The time of number 0; each has a millisecond of its own. */
  readonly start: number = Date.now() - 3_600_000;
  readonly #broker: ChildProcess;
  readonly #folder: string;
  #publisher: ChildProcess | undefined;
  #timer: NodeJS.Timeout | undefined;
  #count = 0;

  static async open(): Promise<Numbers> {
    const port = await freePort();
    const folder = mkdtempSync(join(tmpdir(), 'skerry-numbers-'));
    const settings = ['allow_anonymous true', 'user root', 'max_queued_messages 0', 'max_inflight_messages 500'];
    writeFileSync(join(folder, 'broker.conf'), [`listener ${port} 127.0.0.1`, ...settings, ''].join('\n'));
    const broker = spawn('mosquitto', ['-c', join(folder, 'broker.conf')], { stdio: 'ignore' });
    await eventually('the broker', () => isOpen(port));
    return new Numbers(broker, folder, port);
  }

  constructor(broker: ChildProcess, folder: string, port: number) {
    this.#broker = broker;
    this.#folder = folder;
    this.server = `mqtt://127.0.0.1:${port}`;
  }

  /** So many were told. */
  get count(): number {
    return this.#count;
  }

  /** Tells them, some hundred a second. */
  begin(): void {
    const port = new URL(this.server).port;
    const options = ['-h', '127.0.0.1', '-p', port, '-t', TOPIC, '-q', '1', '-l'];
    this.#publisher = spawn('mosquitto_pub', options, { stdio: ['pipe', 'inherit', 'inherit'] });
    this.#timer = setInterval(() => this.#tell(), EVERY_MS);
  }

  more(count: number): Promise<unknown> {
    const wanted = this.#count + count;
    return eventually('more numbers', () => this.#count >= wanted, { everyMs: EVERY_MS });
  }

  /** No more of them; the broker has acknowledged all when it resolves. */
  async finish(): Promise<void> {
    clearInterval(this.#timer);
    const publisher = this.#publisher;
    if (publisher === undefined) return;
    const ended = once(publisher, 'exit');
    publisher.stdin?.end();
    const [code] = (await ended) as [number];
    if (code !== 0) throw new Error(`the device ended with ${code}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#publisher?.kill('SIGKILL');
    const ended = once(this.#broker, 'exit');
    this.#broker.kill('SIGKILL');
    await ended;
    rmSync(this.#folder, { recursive: true });
  }

  #tell(): void {
    const lines = Array.from({ length: AT_ONCE }, () => {
      const n = this.#count++;
      return `${JSON.stringify({ n, ts: this.start + n })}\n`;
    });
    this.#publisher?.stdin?.write(lines.join(''));
  }
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => resolve(true));
    socket.on('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
