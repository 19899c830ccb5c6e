/** A cable that can be pulled: a TCP relay on loopback. */
import { connect, createServer, type Server, type Socket } from 'node:net';

export class TcpProxy implements AsyncDisposable {
  readonly address: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isCut = false;
  /** Bytes that were taken from clients (up) and from the target (down), also those that a cut has lost on their way. */
  readonly taken = { up: 0, down: 0 };
  /** Of these, what a slow proxy had not passed on when the connection was dropped. */
  readonly lost = { up: 0, down: 0 };
  /** What a connection carries each way in a second; as much as the sockets take by default. With 0 it takes all, and it goes no further. */
  bytesPerSecond = Number.POSITIVE_INFINITY;
  connections = 0;

  static async start(target: string): Promise<TcpProxy> {
    // A cable does not wait for more: what comes is passed on.
    const server = createServer({ noDelay: true });
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
    return new TcpProxy(server, target);
  }

  constructor(server: Server, target: string) {
    const address = server.address();
    this.address = `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
    this.#server = server;
    const [host = '', port = ''] = target.split(':');
    server.on('connection', (socket) => this.#relay(socket, host, Number(port)));
  }

  /** Both ways. */
  get bytes(): number {
    return this.taken.up + this.taken.down;
  }

  /** Drops every connection and takes none until `mend`. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend(): void {
    this.#isCut = false;
  }

  /** Drops every connection, and takes the next. */
  break(): void {
    this.cut();
    this.mend();
  }

  #relay(client: Socket, host: string, port: number): void {
    if (this.#isCut) {
      client.destroy();
      return;
    }
    const upstream = connect({ port, host, noDelay: true });
    this.connections++;
    this.#join(client, upstream, 'up');
    this.#join(upstream, client, 'down');
  }

  #join(from: Socket, to: Socket, way: 'up' | 'down'): void {
    this.#sockets.add(from);
    const queue = new Narrow((chunk) => to.write(chunk));
    from.on('data', (chunk: Buffer) => {
      this.taken[way] += chunk.length;
      if (Number.isFinite(this.bytesPerSecond)) queue.push(chunk, this.bytesPerSecond);
      else if (!to.write(chunk)) from.pause();
    });
    to.on('drain', () => from.resume());
    from.on('end', () => to.end());
    from.on('error', () => to.destroy());
    from.on('close', () => {
      this.#sockets.delete(from);
      this.lost[way] += queue.takeWaiting();
      to.destroy();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

/** The narrow place of a path, with all the room before it that senders want. */
class Narrow {
  readonly #pass: (chunk: Buffer) => void;
  readonly #waiting: { readonly chunk: Buffer; readonly due: number }[] = [];
  #freeAt = 0;

  constructor(pass: (chunk: Buffer) => void) {
    this.#pass = pass;
  }

  push(chunk: Buffer, bytesPerSecond: number): void {
    if (bytesPerSecond === 0) {
      this.#waiting.push({ chunk, due: Number.POSITIVE_INFINITY });
      return;
    }
    this.#freeAt = Math.max(this.#freeAt, performance.now()) + (chunk.length / bytesPerSecond) * 1000;
    this.#waiting.push({ chunk, due: this.#freeAt });
    if (this.#waiting.length === 1) this.#wait();
  }

  /** How many bytes wait; from now on none do. */
  takeWaiting(): number {
    return this.#waiting.splice(0).reduce((sum, { chunk }) => sum + chunk.length, 0);
  }

  #wait(): void {
    const [first] = this.#waiting;
    if (first === undefined || first.due === Number.POSITIVE_INFINITY) return;
    setTimeout(
      () => {
        this.#waiting.shift();
        this.#pass(first.chunk);
        this.#wait();
      },
      Math.max(1, first.due - performance.now()),
    );
  }
}
