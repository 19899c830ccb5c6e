/** One node at the hub: performs what its state machine asks for. */
import type { Clock, Logger } from '@skerry/base';
import { Reason } from '../core/frame.ts';
import type { HubEffect, HubEvent } from '../core/hub-events.ts';
import { HubNode, stepHub } from '../core/hub-node.ts';
import { errors } from '../errors.ts';
import { BLOB_NODE_BYTES_PER_SECOND, BULK_MIN_PIECE_BYTES } from '../limits.ts';
import { type BlobService, serveBlob } from './blob-server.ts';
import type { CopySuspicion, HubOptions, HubSessionInfo } from './contract.ts';
import { close, type LinkSocket, write } from './link-socket.ts';
import { Rate } from './rate.ts';
import { SessionWork } from './session-work.ts';
import { StreamTable } from './stream-table.ts';
import { NO_SLOT, type TimerWheel, type WheelItem } from './timer-wheel.ts';

/** What all nodes share. */
export interface HubContext extends HubOptions {
  readonly wheel: TimerWheel;
  readonly random: () => number;
  /** What the blobs of all nodes may take together. */
  readonly blobRate: Rate;
  /** Flushes the peer once the events of this moment are through. */
  readonly flushSoon: (peer: HubPeer) => void;
  readonly forget: (peer: HubPeer) => void;
}

const NO_SOCKETS: readonly LinkSocket[] = [];

export class HubPeer implements WheelItem {
  readonly node: string;
  wheelSlot = NO_SLOT;
  needsFlush = false;
  readonly #context: HubContext;
  #core = new HubNode();
  #sockets: readonly LinkSocket[] = NO_SOCKETS;
  #work: SessionWork | undefined;
  #table: StreamTable | undefined;
  #blobRate: Rate | undefined;
  #isOpen = false;

  constructor(node: string, context: HubContext) {
    this.node = node;
    this.#context = context;
  }

  get #clock(): Clock {
    return this.#context.clock;
  }

  get #log(): Logger {
    return this.#context.log;
  }

  get isConnected(): boolean {
    return this.#core.isConnected;
  }

  get streams(): StreamTable {
    this.#table ??= new StreamTable({
      node: this.node,
      clock: this.#clock,
      streams: () => (this.#core.isConnected ? this.#core.streams : undefined),
      dispatch: (event) => this.dispatch(event),
      answer: (header, stream, signal) => {
        const { streamHandler } = this.#context;
        if (streamHandler === undefined) return Promise.reject(errors.STREAM_REFUSED({ text: 'nobody answers here' }));
        return streamHandler(this.node, header, stream, signal);
      },
      serveBlob: (header, stream, signal) => serveBlob(this.#blobs, header, stream, signal),
    });
    return this.#table;
  }

  get #blobs(): BlobService {
    const { blobs: door, blobRate, options } = this.#context;
    this.#blobRate ??= new Rate(options?.blobBytesPerSecond ?? BLOB_NODE_BYTES_PER_SECOND, this.#clock);
    const pieceBytes = () => this.#core.streams?.pieceBytes ?? BULK_MIN_PIECE_BYTES;
    return { node: this.node, door, rates: [this.#blobRate, blobRate], pieceBytes, clock: this.#clock };
  }

  /** Nothing while there is no session. */
  info(): HubSessionInfo | undefined {
    if (this.#core.channel === undefined) return undefined;
    const paths = this.#core.channel.paths.length;
    return {
      node: this.node,
      sessionNumber: this.#core.sessionNumber,
      connected: this.#core.isConnected,
      current: this.#core.sync?.isCurrent ?? false,
      address: this.#sockets[0]?.remoteAddress ?? '',
      paths,
      streams: this.#core.streams?.count ?? 0,
    };
  }

  /** The feed would send into a full window. */
  get isStateBlocked(): boolean {
    return this.#core.sync?.isBlocked === true;
  }

  #workOf(): SessionWork {
    this.#work ??= new SessionWork(this, this.#context);
    return this.#work;
  }

  // ——— events ———

  /** A comer has greeted and may enter. */
  greet(socket: LinkSocket, event: Extract<HubEvent, { type: 'hello' }>): void {
    // Not by `push`, which keeps room for sixteen.
    this.#sockets = [...this.#sockets, socket];
    socket.owner = this;
    this.dispatch(event);
  }

  onSocketMessage(socket: LinkSocket, bytes: Uint8Array): void {
    this.dispatch({ type: 'message', path: socket.path, bytes });
  }

  onSocketWritten(socket: LinkSocket, bytes: number): void {
    this.dispatch({ type: 'written', path: socket.path, bytes });
  }

  onSocketClosed(socket: LinkSocket, reason: string): void {
    this.#sockets = this.#sockets.filter((other) => other !== socket);
    this.dispatch({ type: 'path-closed', path: socket.path, reason });
  }

  close(reason: Reason, text: string): void {
    this.dispatch({ type: 'close', reason, text });
  }

  deadline(): number {
    return this.#core.deadline();
  }

  onDue(): void {
    this.dispatch({ type: 'tick' });
  }

  flush(): void {
    this.needsFlush = false;
    this.#step({ type: 'flush' });
    this.#context.wheel.schedule(this);
    if (this.#core.isEmpty && this.#sockets.length === 0) this.#context.forget(this);
  }

  dispatch(event: HubEvent): void {
    this.#step(event);
    if (!this.needsFlush) this.#context.flushSoon(this);
  }

  #step(event: HubEvent): void {
    const [core, effects] = stepHub(this.#core, event, Math.floor(this.#clock.monotonic()));
    this.#core = core;
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: HubEffect): void {
    switch (effect.type) {
      case 'write':
        this.#withSocket(effect.path, (socket) => write(socket, effect.bytes));
        return;
      case 'close-path':
        this.#withSocket(effect.path, (socket) => close(socket, this.#clock, effect.code, effect.reason));
        return;
      case 'store-number':
        void this.#storeNumber(effect.sessionNumber);
        return;
      case 'session-open':
        this.#isOpen = true;
        this.#log.info({ node: this.node, sessionNumber: effect.sessionNumber }, 'session open');
        this.#context.onSession?.(this.node, 'open');
        return;
      case 'session-ended':
        this.#onEnded(effect.reason);
        return;
      case 'feed-wanted':
        void this.#workOf().feed(effect.position);
        return;
      case 'versions':
        this.#work?.onVersions(effect.versions);
        return;
      case 'state-room':
        this.#work?.onRoom();
        return;
      case 'sink':
        this.#workOf().sink(effect.entries, effect.bytes);
        return;
      case 'copy':
        this.#onCopy(effect);
        return;
      default:
        this.streams.onEffect(effect);
    }
  }

  #withSocket(path: number, action: (socket: LinkSocket) => void): void {
    const socket = this.#sockets.find((candidate) => candidate.path === path);
    if (socket !== undefined) action(socket);
  }

  async #storeNumber(sessionNumber: number): Promise<void> {
    try {
      await this.#context.sessionNumbers.store(this.node, sessionNumber);
      this.dispatch({ type: 'number-stored', sessionNumber });
    } catch (error) {
      this.#log.error({ node: this.node, error }, 'session number not stored');
      if (this.#core.sessionNumber === sessionNumber) this.close(Reason.other, 'session number not stored');
    }
  }

  #onCopy(effect: Extract<HubEffect, { type: 'copy' }>): void {
    const socketAt = (path: number | undefined) => this.#sockets.find((socket) => socket.path === path);
    const { kind, comerNumber, currentNumber } = effect;
    const holderAddress = socketAt(effect.holder)?.remoteAddress;
    const comerAddress = socketAt(effect.path)?.remoteAddress ?? '';
    const about = { node: this.node, kind, comerAddress, comerNumber, currentNumber };
    const suspicion: CopySuspicion = holderAddress === undefined ? about : { ...about, holderAddress };
    this.#log.warn({ ...suspicion }, 'a copy of the node is suspected, the comer is refused');
    this.#context.onCopy?.(suspicion);
  }

  #onEnded(reason: string): void {
    this.#work?.end(errors.PEER_GONE({ node: this.node, reason }));
    this.#work = undefined;
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#log.info({ node: this.node, reason }, 'session ended');
    this.#context.onSession?.(this.node, 'closed');
  }
}
