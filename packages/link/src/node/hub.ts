/** The cloud's end of every link: takes upgraded connections, lets comers in at a pace, holds one peer a node. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { secureRandom } from '@skerry/base';
import { WebSocketServer } from 'ws';
import type { LinkStream } from '../contract.ts';
import { CloseCode, encodeFrame, KEY_BYTES, Reason } from '../core/frame.ts';
import { errors } from '../errors.ts';
import { ADMISSION_PER_SECOND, BLOB_HUB_BYTES_PER_SECOND, BUSY_RETRY_MS, MAX_VISITORS_PER_NODE } from '../limits.ts';
import { Admission } from './admission.ts';
import type { Hub, HubOptions, HubSessionInfo } from './contract.ts';
import { type HubContext, HubPeer } from './hub-peer.ts';
import { attach, close, LinkSocket, socketOptions, write } from './link-socket.ts';
import { Rate } from './rate.ts';
import { NO_SLOT, TimerWheel, type WheelItem } from './timer-wheel.ts';
import { Visitor, type VisitorHost } from './visitor.ts';

export function createHub(options: HubOptions): Hub {
  return new LinkHub(options);
}

class LinkHub implements Hub, WheelItem {
  readonly #options: HubOptions;
  readonly #peers = new Map<string, HubPeer>();
  readonly #visitors = new Map<string, number>();
  readonly #server = new WebSocketServer({
    noServer: true,
    WebSocket: LinkSocket,
    clientTracking: false,
    ...socketOptions,
  });
  readonly #wheel: TimerWheel;
  readonly #admission: Admission<Visitor>;
  readonly #context: HubContext;
  readonly #host: VisitorHost;
  readonly #unflushed: HubPeer[] = [];
  #nextPath = 1;
  #isStopping = false;
  wheelSlot = NO_SLOT;

  constructor(options: HubOptions) {
    const { clock } = options;
    this.#options = options;
    this.#wheel = new TimerWheel(clock);
    this.#admission = new Admission(options.options?.admissionPerSecond ?? ADMISSION_PER_SECOND, clock.monotonic());
    this.#context = {
      ...options,
      wheel: this.#wheel,
      random: Math.random,
      blobRate: new Rate(options.options?.allBlobBytesPerSecond ?? BLOB_HUB_BYTES_PER_SECOND, clock),
      flushSoon: (peer) => this.#flushSoon(peer),
      forget: (peer) => this.#forget(peer),
    };
    this.#host = { clock, onHello: (visitor) => this.#onHello(visitor), onGone: (visitor) => this.#countOut(visitor) };
  }

  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, node: string): void {
    // Between here and the WebSocket nobody else listens; an error without a listener would end the process.
    socket.on('error', ignore);
    void this.#receive(request, socket, head, node);
  }

  openStream(node: string, header: Uint8Array, signal?: AbortSignal): Promise<LinkStream> {
    const peer = this.#peers.get(node);
    if (peer?.isConnected !== true) return Promise.reject(errors.NOT_CONNECTED({ node }));
    return peer.streams.open(header, signal);
  }

  *sessions(): IterableIterator<HubSessionInfo> {
    for (const peer of this.#peers.values()) {
      const info = peer.info();
      if (info !== undefined) yield info;
    }
  }

  session(node: string): HubSessionInfo | undefined {
    return this.#peers.get(node)?.info();
  }

  closeNode(node: string, reason: string): void {
    this.#peers.get(node)?.close(Reason.revoked, reason);
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    for (const peer of this.#peers.values()) peer.close(Reason.stopping, 'the hub stops');
    this.#wheel.stop();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  // ——— letting in ———

  async #receive(request: IncomingMessage, socket: Duplex, head: Buffer, node: string): Promise<void> {
    const verdict = await this.#authorize(node, request);
    if (verdict === 'revoked') {
      refuseUpgrade(socket, '403 Forbidden', 'node is revoked');
      return;
    }
    const count = this.#visitors.get(node) ?? 0;
    if (verdict === 'unknown' || this.#isStopping || count >= MAX_VISITORS_PER_NODE) {
      refuseUpgrade(socket, '503 Service Unavailable', 'try again later');
      return;
    }
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      this.#visitors.set(node, count + 1);
      socket.off('error', ignore);
      const visitor = new Visitor(node, webSocket, request, this.#host);
      webSocket.remoteAddress = request.socket.remoteAddress;
      attach(webSocket, visitor, this.#nextPath++);
      this.#wheel.schedule(visitor);
    });
  }

  async #authorize(node: string, request: IncomingMessage): Promise<'allow' | 'revoked' | 'unknown'> {
    try {
      return await this.#options.authorize(node, request);
    } catch (error) {
      this.#options.log.error({ node, error }, 'node cannot be authorized');
      return 'unknown';
    }
  }

  #onHello(visitor: Visitor): void {
    if (!this.#admission.offer(visitor)) {
      this.#refuse(visitor, Reason.busy, 'too many at once', BUSY_RETRY_MS);
      return;
    }
    this.onDue();
    this.#wheel.schedule(this);
  }

  deadline(): number {
    return this.#admission.deadline();
  }

  onDue(): void {
    const now = this.#options.clock.monotonic();
    for (let next = this.#admission.take(now); next !== undefined; next = this.#admission.take(now)) {
      void this.#admit(next);
    }
  }

  /** A node can be revoked between its handshake and its turn, so it is asked about once more. */
  async #admit(visitor: Visitor): Promise<void> {
    const { node, socket, hello, request } = visitor;
    if (visitor.isGone || hello === undefined || request === undefined) return;
    visitor.request = undefined;
    const verdict = await this.#authorize(node, request);
    const stored = await this.#loadNumber(node);
    if (visitor.isGone) return;
    if (verdict === 'revoked') {
      this.#refuse(visitor, Reason.revoked, 'node is revoked', 0);
      return;
    }
    if (verdict === 'unknown' || stored === undefined || this.#isStopping) {
      this.#refuse(visitor, Reason.busy, 'try again later', BUSY_RETRY_MS);
      return;
    }
    this.#countOut(visitor);
    const key = secureRandom(KEY_BYTES);
    this.#peer(node).greet(socket, { type: 'hello', path: socket.path, hello, stored, key });
  }

  async #loadNumber(node: string): Promise<number | undefined> {
    try {
      return await this.#options.sessionNumbers.load(node);
    } catch (error) {
      this.#options.log.error({ node, error }, 'session number not loaded');
      return undefined;
    }
  }

  #refuse(visitor: Visitor, reason: Reason, text: string, retryAfterMs: number): void {
    write(visitor.socket, encodeFrame({ type: 'refuse', reason, retryAfterMs, text }));
    close(visitor.socket, this.#options.clock, CloseCode.refused, text);
    visitor.onSocketClosed();
  }

  #countOut(visitor: Visitor): void {
    visitor.isGone = true;
    const count = (this.#visitors.get(visitor.node) ?? 0) - 1;
    if (count > 0) this.#visitors.set(visitor.node, count);
    else this.#visitors.delete(visitor.node);
  }

  // ——— peers ———

  #peer(node: string): HubPeer {
    let peer = this.#peers.get(node);
    if (peer === undefined) {
      peer = new HubPeer(node, this.#context);
      this.#peers.set(node, peer);
    }
    return peer;
  }

  #forget(peer: HubPeer): void {
    if (this.#peers.get(peer.node) === peer) this.#peers.delete(peer.node);
  }

  /** One microtask flushes every peer that had something happen in this turn: frames of a burst share messages. */
  #flushSoon(peer: HubPeer): void {
    peer.needsFlush = true;
    this.#unflushed.push(peer);
    if (this.#unflushed.length > 1) return;
    queueMicrotask(() => {
      for (const unflushed of this.#unflushed.splice(0)) unflushed.flush();
    });
  }
}

function refuseUpgrade(socket: Duplex, status: string, text: string): void {
  const head = `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: ${text.length}`;
  // Nobody counts an upgraded socket's time but us: it goes when the answer is out, whatever the client does.
  socket.end(`${head}\r\n\r\n${text}`, () => socket.destroy());
}

function ignore(): void {}
