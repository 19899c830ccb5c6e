/** The supervisor's door: one agent at a time drives it, over a socket that only this user can open. */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Logger } from '@skerry/base';
import { hasCode, messageOf } from '@skerry/base';
import { errors } from './errors.ts';
import {
  type ControlRequest,
  decodeJson,
  encodeJson,
  type Frame,
  FrameDecoder,
  type HelloResult,
  PROTOCOL_VERSION,
  type ProcessRecord,
  type SessionRequest,
} from './protocol.ts';
import { type SessionContext, serveSession } from './session.ts';

const MAX_CONNECTIONS = 600;
/** A client that takes its time over reading answers is stuck. */
const MAX_CONTROL_BACKLOG_BYTES = 64 * 1024 * 1024;

export interface ServerOptions extends SessionContext {
  readonly log: Logger;
  readonly bootId: string;
  readonly cgroups: 'v1' | 'v2' | undefined;
  readonly shutdown: () => void;
}

type Numbered = ControlRequest & { readonly id?: unknown; readonly seq: number };

export class SupervisorServer {
  readonly #options: ServerOptions;
  readonly #token = randomBytes(24).toString('base64url');
  readonly #connections = new Set<Socket>();
  #driver: { readonly socket: Socket; readonly agent: string } | undefined;

  constructor(options: ServerOptions) {
    this.#options = options;
  }

  onExit(record: ProcessRecord): void {
    this.#driver?.socket.write(encodeJson({ event: 'exited', record }));
  }

  accept(socket: Socket): void {
    if (this.#connections.size >= MAX_CONNECTIONS) {
      socket.destroy();
      return;
    }
    this.#connections.add(socket);
    const decoder = new FrameDecoder();
    let handle = (frame: Frame): void => {
      handle = this.#begin(frame, socket);
    };
    socket.on('data', (chunk: Buffer) => {
      try {
        for (const frame of decoder.push(chunk)) handle(frame);
      } catch (error) {
        this.#options.log.warn({ error }, 'connection refused');
        socket.destroy();
      }
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#connections.delete(socket);
      if (this.#driver?.socket === socket) this.#driver = undefined;
    });
  }

  close(): void {
    for (const socket of this.#connections) socket.destroy();
  }

  /** The first message decides what a connection is for. */
  #begin(frame: Frame, socket: Socket): (frame: Frame) => void {
    const first = decodeJson(frame) as Partial<SessionRequest> & Partial<Numbered>;
    if (typeof first.token === 'string') {
      if (!this.#isToken(first.token)) throw errors.BAD_MESSAGE({ what: 'session token' });
      return serveSession(first as SessionRequest, socket, this.#options);
    }
    if (first.op !== 'hello') throw errors.BAD_MESSAGE({ what: 'first message' });
    this.#onControl(first as Numbered, socket);
    return (next) => this.#onControl(decodeJson(next) as Numbered, socket);
  }

  #onControl(request: Numbered, socket: Socket): void {
    if (socket.writableLength > MAX_CONTROL_BACKLOG_BYTES) socket.destroy();
    const reply = (message: object) => void socket.write(encodeJson({ id: request.seq, ...message }));
    this.#perform(request, socket)
      .then((result) => reply({ result: result ?? null }))
      .catch((error: unknown) =>
        reply({ error: { code: hasCode(error) ? error.code : 'INTERNAL', message: messageOf(error) } }),
      );
  }

  async #perform(request: ControlRequest, socket: Socket): Promise<unknown> {
    const { keeper, runner } = this.#options;
    if (request.op !== 'hello' && this.#driver?.socket !== socket) throw errors.BAD_MESSAGE({ what: 'no hello' });
    switch (request.op) {
      case 'hello':
        return this.#hello(request, socket);
      case 'start':
        return keeper.start(request.request);
      case 'list':
        return keeper.list();
      case 'signal':
        return keeper.signal(request.id, request.signal as NodeJS.Signals);
      case 'kill':
        return keeper.kill(request.id);
      case 'remove':
        return keeper.remove(request.id);
      case 'run':
        return runner.run(request.id, request, request);
      case 'limit':
        return keeper.limit(request.id, request.limits);
      case 'usage':
        return keeper.usage();
      case 'resize':
        return keeper.resize(request.id, request.columns, request.rows);
      case 'shutdown':
        return this.#shutdown();
      default:
        throw errors.BAD_MESSAGE({ what: 'operation' });
    }
  }

  async #hello(request: ControlRequest & { op: 'hello' }, socket: Socket): Promise<HelloResult> {
    if (this.#driver !== undefined && this.#driver.socket !== socket)
      throw errors.IN_USE({ agent: this.#driver.agent });
    if (request.protocol !== PROTOCOL_VERSION) {
      throw errors.PROTOCOL({ theirs: PROTOCOL_VERSION, ours: request.protocol });
    }
    this.#driver = { socket, agent: request.agent };
    const { bootId, cgroups, keeper } = this.#options;
    // What the driver before this one has asked for may still be under way.
    await keeper.settled();
    return {
      protocol: PROTOCOL_VERSION,
      token: this.#token,
      pid: process.pid,
      bootId,
      ...(cgroups === undefined ? {} : { cgroups }),
      records: keeper.list(),
    };
  }

  #shutdown(): void {
    const count = this.#options.keeper.running;
    if (count > 0) throw errors.BUSY({ count });
    this.#options.shutdown();
  }

  #isToken(given: string): boolean {
    const [mine, theirs] = [Buffer.from(this.#token), Buffer.from(given)];
    return mine.length === theirs.length && timingSafeEqual(mine, theirs);
  }
}
