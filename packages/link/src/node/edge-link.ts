/** The edge's end of the link: performs what its state machine asks for. */
import { type Clock, messageOf, type Timer } from '@skerry/base';
import type { LinkBlob, LinkStream, StateReplica } from '../contract.ts';
import type { HeldVersion } from '../core/batch.ts';
import type { EdgeEffect, EdgeEvent } from '../core/edge-events.ts';
import { EdgeSession, stepEdge } from '../core/edge-session.ts';
import { Lane, Reason } from '../core/frame.ts';
import { errors } from '../errors.ts';
import { DEFAULT_HEARTBEAT_MS, VERSIONS_CHUNK } from '../limits.ts';
import { askForBlob } from './blob-client.ts';
import type { BlobOptions, EdgeLink, EdgeLinkOptions, EdgeLinkStatus, RefusalCode } from './contract.ts';
import { dial, pickEndpoint } from './dial.ts';
import { attach, close, type LinkSocket, type SocketOwner, write } from './link-socket.ts';
import { ReplicaWriter } from './replica-writer.ts';
import { type RetryContext, untilDone } from './retry.ts';
import { StreamTable } from './stream-table.ts';

export function createEdgeLink(options: EdgeLinkOptions): EdgeLink {
  return new SocketEdgeLink(options);
}

interface Connection {
  readonly endpoint: string;
  readonly socket: LinkSocket;
}

class SocketEdgeLink implements EdgeLink, SocketOwner {
  readonly #options: EdgeLinkOptions;
  readonly #clock: Clock;
  readonly #replica: StateReplica;
  readonly #streams: StreamTable;
  readonly #connections = new Map<number, Connection>();
  readonly #listeners = new Set<(status: EdgeLinkStatus) => void>();
  readonly #stopping = new AbortController();
  #core: EdgeSession;
  readonly #writer: ReplicaWriter;
  #versions: Iterator<HeldVersion> | undefined;
  #timer: Timer | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #needsFlush = false;
  #unsubscribe: (() => void) | undefined;

  constructor(options: EdgeLinkOptions) {
    const { clock, node, random, replica, streamHandler } = options;
    this.#options = options;
    this.#clock = clock;
    this.#replica = replica;
    this.#core = new EdgeSession({
      sessionNumber: options.sessionNumbers.load(),
      heartbeatMs: options.options?.heartbeatMs ?? DEFAULT_HEARTBEAT_MS,
      paths: options.options?.paths ?? 1,
      random,
    });
    this.#writer = new ReplicaWriter(replica, this.#retryContext(), (bytes) =>
      this.#dispatch({ type: 'applied', bytes }),
    );
    this.#streams = new StreamTable({
      node,
      clock,
      streams: () => (this.#core.isConnected ? this.#core.streams : undefined),
      dispatch: (event) => this.#dispatch(event),
      answer: streamHandler,
      serveBlob: () => Promise.reject(errors.STREAM_REFUSED({ text: 'an edge has no blobs' })),
    });
  }

  start(): void {
    if (this.#unsubscribe !== undefined || this.#stopping.signal.aborted) return;
    this.#unsubscribe = this.#options.outbox.onAppend(() => this.#dispatch({ type: 'outbox-appended' }));
    this.#dispatch({ type: 'start' });
  }

  async stop(): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    this.#stopping.abort();
    this.#unsubscribe?.();
    this.#timer?.cancel();
    const closed = [...this.#connections.values()].map(({ socket }) => whenClosed(socket));
    this.#dispatch({ type: 'stop' });
    await Promise.all(closed);
  }

  openStream(header: Uint8Array, signal?: AbortSignal): Promise<LinkStream> {
    return this.#streams.open(header, signal);
  }

  openBlob(request: Uint8Array, { offset = 0, signal }: BlobOptions = {}): Promise<LinkBlob> {
    return askForBlob((header) => this.#streams.open(header, signal, Lane.bulk), request, offset);
  }

  retryNow(): void {
    this.#dispatch({ type: 'retry-now' });
  }

  onStatus(callback: (status: EdgeLinkStatus) => void): () => void {
    this.#listeners.add(callback);
    return () => this.#listeners.delete(callback);
  }

  status(): EdgeLinkStatus {
    const { channel, isConnected, isCurrent, sessionNumber, refused, lastError } = this.#core;
    const paths = (channel?.paths ?? []).map((path) => ({
      endpoint: this.#connections.get(path.id)?.endpoint ?? '',
      active: path === channel?.active,
      ...(path.rttMs === undefined ? {} : { rttMs: path.rttMs }),
    }));
    const active = paths.find((path) => path.active);
    return {
      connected: isConnected,
      current: isCurrent,
      sessionNumber,
      paths,
      ...(active === undefined ? {} : { activePath: active.endpoint }),
      ...(active?.rttMs === undefined ? {} : { rttMs: active.rttMs }),
      ...(refused === undefined ? {} : { refused: { code: toCode(refused.reason), text: refused.text } }),
      ...(lastError === undefined ? {} : { lastError }),
    };
  }

  // ——— events ———

  onSocketMessage(socket: LinkSocket, bytes: Uint8Array): void {
    this.#dispatch({ type: 'message', path: socket.path, bytes });
  }

  onSocketWritten(socket: LinkSocket, bytes: number): void {
    this.#dispatch({ type: 'written', path: socket.path, bytes });
  }

  onSocketClosed(socket: LinkSocket, reason: string, refused?: Reason): void {
    if (!this.#connections.delete(socket.path)) return;
    const closed = { type: 'path-closed', path: socket.path, reason } as const;
    this.#dispatch(refused === undefined ? closed : { ...closed, refused });
  }

  #dispatch(event: EdgeEvent): void {
    this.#step(event);
    if (this.#needsFlush) return;
    this.#needsFlush = true;
    queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    this.#needsFlush = false;
    this.#step({ type: 'flush' });
    this.#arm();
  }

  #step(event: EdgeEvent): void {
    const [core, effects] = stepEdge(this.#core, event, this.#clock.monotonic());
    this.#core = core;
    for (const effect of effects) this.#perform(effect);
  }

  #arm(): void {
    const deadline = this.#core.deadline();
    if (deadline === this.#timerAt) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerAt = deadline;
    if (deadline === Number.POSITIVE_INFINITY) return;
    this.#timer = this.#clock.after(Math.max(0, deadline - this.#clock.monotonic()), () => {
      this.#timerAt = Number.POSITIVE_INFINITY;
      this.#dispatch({ type: 'tick' });
    });
  }

  // ——— effects ———

  #perform(effect: EdgeEffect): void {
    switch (effect.type) {
      case 'write':
        this.#withSocket(effect.path, (socket) => write(socket, effect.bytes));
        return;
      case 'dial':
        this.#dial(effect.path, effect.turn);
        return;
      case 'close-path':
        this.#withSocket(effect.path, (socket) => close(socket, this.#clock, effect.code, effect.reason));
        return;
      case 'store-number':
        void this.#storeNumber(effect.sessionNumber);
        return;
      case 'session-ended':
        this.#onEnded(effect.reason);
        return;
      case 'status':
        this.#tell();
        return;
      case 'apply':
        this.#writer.apply(effect.batch, effect.bytes);
        return;
      case 'current':
        this.#writer.current(effect.position);
        return;
      case 'versions-wanted':
        this.#giveVersions(effect.restart);
        return;
      case 'outbox-read':
        this.#dispatch({ type: 'outbox-entries', entries: this.#options.outbox.read(effect.after, effect.limit) });
        return;
      case 'outbox-acknowledge':
        this.#options.outbox.acknowledge(effect.seq);
        return;
      default:
        this.#streams.onEffect(effect);
    }
  }

  #withSocket(path: number, action: (socket: LinkSocket) => void): void {
    const connection = this.#connections.get(path);
    if (connection !== undefined) action(connection.socket);
  }

  #dial(path: number, turn: number): void {
    const inUse = new Set([...this.#connections.values()].map(({ endpoint }) => endpoint));
    const endpoint = pickEndpoint(this.#options.endpoints(), turn, inUse);
    if (endpoint === undefined) {
      queueMicrotask(() => this.#dispatch({ type: 'path-closed', path, reason: 'no endpoint is known' }));
      return;
    }
    try {
      this.#connect(path, endpoint);
    } catch (error) {
      // A key that cannot be read, an endpoint that is no address: as good as a failed dial.
      queueMicrotask(() => this.#dispatch({ type: 'path-closed', path, reason: messageOf(error) }));
    }
  }

  #connect(path: number, endpoint: string): void {
    const { serverName, urlPath = '/link' } = this.#options.options ?? {};
    const target = { endpoint, urlPath, tls: this.#options.tls(), ...(serverName === undefined ? {} : { serverName }) };
    const socket = dial(target, ({ reason, text }) => this.onSocketClosed(socket, text, reason));
    this.#connections.set(path, { endpoint, socket });
    attach(socket, this, path);
    socket.on('open', () => this.#dispatch({ type: 'path-open', path }));
  }

  async #storeNumber(sessionNumber: number): Promise<void> {
    const store = () => this.#options.sessionNumbers.store(sessionNumber);
    const isStored = await untilDone(this.#retryContext(), 'storing the session number', store);
    if (isStored) this.#dispatch({ type: 'number-stored', sessionNumber, position: this.#replica.position() });
  }

  #onEnded(reason: string): void {
    this.#writer.drop();
    this.#versions = undefined;
    this.#options.log.info({ node: this.#options.node, reason }, 'link session ended');
  }

  #giveVersions(restart: boolean): void {
    if (restart) this.#versions = this.#replica.versions()[Symbol.iterator]();
    const versions: HeldVersion[] = [];
    let more = true;
    while (more && versions.length < VERSIONS_CHUNK) {
      const next = this.#versions?.next();
      if (next === undefined || next.done === true) more = false;
      else versions.push(next.value);
    }
    if (!more) this.#versions = undefined;
    this.#dispatch({ type: 'versions', versions, more });
  }

  #tell(): void {
    const status = this.status();
    for (const listener of this.#listeners) listener(status);
  }

  #retryContext(): RetryContext {
    const { clock, log, random } = this.#options;
    return { clock, log, random, signal: this.#stopping.signal };
  }
}

function whenClosed(socket: LinkSocket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.readyState === socket.CLOSED) resolve();
    else socket.once('close', () => resolve());
  });
}

const REFUSAL_CODES: Readonly<Record<Reason, RefusalCode>> = {
  [Reason.other]: 'other',
  [Reason.busy]: 'busy',
  [Reason.copy]: 'copy',
  [Reason.revoked]: 'revoked',
  [Reason.version]: 'version',
  [Reason.stopping]: 'other',
  [Reason.replaced]: 'other',
  [Reason.certificate]: 'certificate',
};

function toCode(reason: Reason): RefusalCode {
  return REFUSAL_CODES[reason];
}
