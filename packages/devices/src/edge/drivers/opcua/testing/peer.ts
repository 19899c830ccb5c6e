/** For tests: an OPC UA server in a process of its own. */
import { type ChildProcess, fork } from 'node:child_process';

export interface PeerOptions {
  /** 0: any that is free. */
  readonly port: number;
  /** So many numbers beside the press. */
  readonly nodes: number;
  /** Its certificate is valid no more. */
  readonly expired?: boolean;
  readonly maxNodesPerRead?: number;
}

/** What JSON cannot say between the processes. */
export type WireValue =
  | boolean
  | number
  | string
  | readonly WireValue[]
  | { readonly words: readonly number[] }
  | { readonly time: number }
  | { readonly bytes: string };

type Order =
  | { readonly do: 'start'; readonly options: PeerOptions }
  | { readonly do: 'stop' }
  /** With their subscriptions, or only the sessions: those may then be transferred. */
  | { readonly do: 'drop sessions'; readonly subscriptions: boolean }
  /** Without a value: it is bad. */
  | { readonly do: 'set'; readonly name: string; readonly value?: WireValue }
  | { readonly do: 'get'; readonly name: string }
  /** How many answers it keeps the rest of, for its clients. */
  | { readonly do: 'unfinished' }
  | { readonly do: 'change'; readonly nodes: number; readonly perSecond: number; readonly rounds: number }
  | { readonly do: 'raise'; readonly text: string; readonly severity: number };

export type ToPeer = Order & { readonly id: number };
export interface FromPeer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

export class Peer implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #last = 0;
  port = 0;
  /** The server's certificate, PEM. */
  certificate = '';

  static async start(options: Partial<PeerOptions> = {}): Promise<Peer> {
    const peer = new Peer();
    await peer.start(options);
    return peer;
  }

  constructor() {
    this.#process = fork(new URL('peer-process.ts', import.meta.url), {
      execArgv: ['--conditions=source'],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#process.on('message', ({ id, result, error }: FromPeer) => {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiting?.resolve(result);
      else waiting?.reject(new Error(error));
    });
    this.#process.once('exit', (code) => {
      for (const waiting of this.#waiting.values()) waiting.reject(new Error(`the server has ended with ${code}`));
    });
  }

  get endpoint(): string {
    return `opc.tcp://127.0.0.1:${this.port}`;
  }

  /** Again on the same port. */
  async start(options: Partial<PeerOptions> = {}): Promise<void> {
    const started = await this.ask({ do: 'start', options: { port: this.port, nodes: 0, ...options } });
    const { port, certificate } = started as { port: number; certificate: string };
    this.port = port;
    this.certificate = `-----BEGIN CERTIFICATE-----\n${certificate}\n-----END CERTIFICATE-----\n`;
  }

  ask(order: Order): Promise<unknown> {
    const id = ++this.#last;
    const answer = Promise.withResolvers<unknown>();
    this.#waiting.set(id, answer);
    this.#process.send({ ...order, id });
    return answer.promise;
  }

  /** It keeps its connections and does nothing any more, until `thaw`. */
  freeze(): void {
    this.#process.kill('SIGSTOP');
  }

  thaw(): void {
    this.#process.kill('SIGCONT');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null) return;
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.disconnect();
    await ended;
  }
}
