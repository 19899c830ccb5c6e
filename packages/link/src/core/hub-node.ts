/**
 * The hub's state machine for one node: lets a comer in, finds copies, holds the session over its paths.
 * Like the edge's: `stepHub(state, event, now)` takes the state over and gives it back with what to do.
 */
import { hasCode, messageOf } from '@skerry/base';
import {
  BUSY_RETRY_MS,
  LINGER_MS,
  MAX_HEARTBEAT_MS,
  MAX_PATHS,
  MIN_HEARTBEAT_MS,
  PROTOCOL_VERSIONS,
} from '../limits.ts';
import { bytesEqual } from './bytes.ts';
import { Channel, type Path } from './channel.ts';
import {
  CloseCode,
  decodeFrames,
  encodeFrame,
  type Frame,
  isSessionFrame,
  type PathFrame,
  Reason,
  type SessionFrame,
} from './frame.ts';
import { Door, refuse } from './hub-door.ts';
import type { Admitted, Hello, HubEffect, HubEvent } from './hub-events.ts';
import { HubSync, type HubSyncEffect } from './hub-sync.ts';
import { COMER_NONCE, onPathFrame, ping, silentAt, unexpected } from './path-frames.ts';
import { isStreamFrame } from './stream-events.ts';
import { Streams } from './streams.ts';

interface Session {
  readonly key: Uint8Array;
  readonly sessionNumber: number;
  readonly channel: Channel;
  readonly streams: Streams;
  readonly sync: HubSync;
  /** `offered`: the edge has not said that it stored the number; `storing`: it has, and now we do. */
  phase: 'offered' | 'storing' | 'open';
  /** What came with the first switch waits until the number is on disk here too. */
  feedWanted: Extract<HubSyncEffect, { type: 'feed-wanted' }> | undefined;
  pathlessSince: number;
}

type Out = HubEffect[];

export class HubNode {
  #session: Session | undefined;
  #door: Door | undefined;

  get channel(): Channel | undefined {
    return this.#session?.channel;
  }

  get streams(): Streams | undefined {
    return this.#session?.streams;
  }

  get sync(): HubSync | undefined {
    return this.#session?.sync;
  }

  get sessionNumber(): number {
    return this.#session?.sessionNumber ?? 0;
  }

  get isConnected(): boolean {
    return this.#session?.phase === 'open' && this.#session.channel.active !== undefined;
  }

  /** Nothing is known of the node any more: the state may be dropped. */
  get isEmpty(): boolean {
    return this.#session === undefined && (this.#door?.isEmpty ?? true);
  }

  deadline(): number {
    const session = this.#session;
    let next = this.#door?.deadline() ?? Number.POSITIVE_INFINITY;
    if (session === undefined) return next;
    const { channel } = session;
    if (channel.active !== undefined) next = Math.min(next, channel.ackDueAt);
    for (const path of channel.paths) next = Math.min(next, silentAt(path));
    return channel.paths.length === 0 ? Math.min(next, session.pathlessSince + LINGER_MS) : next;
  }

  /** `stepHub` is the way in. */
  step(event: HubEvent, now: number): HubEffect[] {
    const out: Out = [];
    try {
      this.#on(event, now, out);
    } catch (error) {
      if (!hasCode(error, 'LINK_PROTOCOL')) throw error;
      this.#fail(event, messageOf(error), out);
    }
    return out;
  }

  /** Invariant: what a stranger sends on a connection of its own never ends the session of the node. */
  #fail(event: HubEvent, reason: string, out: Out): void {
    if (event.type !== 'message' || this.#session?.channel.path(event.path) !== undefined) {
      this.#end(Reason.other, reason, CloseCode.protocol, out);
      return;
    }
    this.#door?.remove(event.path);
    out.push({ type: 'close-path', path: event.path, code: CloseCode.protocol, reason });
  }

  #on(event: HubEvent, now: number, out: Out): void {
    switch (event.type) {
      case 'message':
        this.#onMessage(event.path, event.bytes, now, out);
        return;
      case 'written':
        this.#onWritten(event.path, event.bytes);
        return;
      case 'flush':
        this.#flush(now, out);
        return;
      case 'tick':
        this.#onTick(now, out);
        return;
      case 'hello':
        this.#onHello(event, now, out);
        return;
      case 'path-closed':
        this.#onPathClosed(event.path, event.reason, now, out);
        return;
      case 'number-stored':
        this.#onNumberStored(event.sessionNumber, out);
        return;
      case 'close':
        for (const { path } of this.#door?.takeAll() ?? []) refuse(path, event.reason, event.text, out);
        this.#end(event.reason, event.text, CloseCode.refused, out);
        return;
      case 'state':
      case 'current':
      case 'ask-versions':
      case 'sunk':
        this.#session?.sync.onEvent(event);
        return;
      default:
        this.#session?.streams.onEvent(event, now, out);
        return;
    }
  }

  // ——— letting in ———

  #onHello(admitted: Admitted, now: number, out: Out): void {
    const { path, hello, stored } = admitted;
    const session = this.#session;
    if (hello.lowest > PROTOCOL_VERSIONS.highest || hello.highest < PROTOCOL_VERSIONS.lowest) {
      const { lowest, highest } = PROTOCOL_VERSIONS;
      refuse(path, Reason.version, `this hub speaks versions ${lowest} to ${highest}`, out);
      return;
    }
    // Only the process that was welcomed knows the key: it needs no challenge.
    if (session !== undefined && bytesEqual(session.key, hello.key)) {
      this.#join(session, admitted, now, out);
      return;
    }
    if (hello.joinOnly) {
      refuse(path, Reason.other, 'no such session', out);
      return;
    }
    const hasOldNumber = hello.sessionNumber < this.#currentNumber(stored);
    if (!hasOldNumber && !this.#hasPaths()) {
      this.#replace(admitted, now, out);
      return;
    }
    this.#challenge(admitted, hasOldNumber, now, out);
  }

  #hasPaths(): boolean {
    return (this.#session?.channel.paths.length ?? 0) > 0;
  }

  #challenge(admitted: Admitted, hasOldNumber: boolean, now: number, out: Out): void {
    const { path } = admitted;
    this.#door ??= new Door();
    if (!this.#door.add(admitted, hasOldNumber, now)) {
      refuse(path, Reason.busy, 'others wait already', out, BUSY_RETRY_MS);
      return;
    }
    out.push({ type: 'write', path, bytes: encodeFrame({ type: 'ping', nonce: COMER_NONCE }) });
    if (!hasOldNumber) this.#askHolder(now, out);
  }

  // A ping that is still unanswered is not repeated, or comers without end could put off the answer that counts.
  #askHolder(now: number, out: Out): void {
    const { channel } = this.#session ?? {};
    for (const path of channel?.paths ?? []) {
      if (channel !== undefined && path.pingSentAt < 0) ping(channel, path, now, out);
    }
  }

  #judgeComers(now: number, out: Out): void {
    const judge = () => this.#door?.judge(now, this.#hasPaths());
    for (let next = judge(); next !== undefined; next = judge()) {
      if (next.verdict === 'let-in') this.#replace(next.admitted, now, out);
      else if (next.verdict === 'copy') this.#refuseCopy(next.admitted, next.hasOldNumber, out);
      else refuse(next.admitted.path, Reason.busy, 'no sign of life', out, BUSY_RETRY_MS);
    }
    if (this.#door?.isEmpty) this.#door = undefined;
  }

  /** The edge says by its first switch that it has stored its number: from then on it counts, also before it is on our disk. */
  #currentNumber(stored: number): number {
    const session = this.#session;
    return session === undefined || session.phase === 'offered' ? stored : Math.max(stored, session.sessionNumber);
  }

  #join(session: Session, { path, hello }: Admitted, now: number, out: Out): void {
    if (session.channel.paths.length >= MAX_PATHS) {
      refuse(path, Reason.busy, 'too many paths', out, BUSY_RETRY_MS);
      return;
    }
    this.#welcome(session, path, hello, true, now, out);
    session.channel.onAck(hello.received);
  }

  /** Invariant: a comer never ends a session that answers. */
  #replace(admitted: Admitted, now: number, out: Out): void {
    this.#end(Reason.replaced, 'replaced by a newer session', CloseCode.normal, out);
    const { path, hello, stored, key } = admitted;
    const channel = new Channel();
    const session: Session = {
      key,
      // A hub restored from a backup may know a lower number than its edges: the higher one goes on.
      sessionNumber: Math.max(stored, hello.sessionNumber) + 1,
      channel,
      streams: new Streams(channel, 'hub'),
      sync: new HubSync(channel),
      phase: 'offered',
      feedWanted: undefined,
      pathlessSince: now,
    };
    this.#session = session;
    this.#welcome(session, path, hello, false, now, out);
    if (this.#door === undefined || this.#door.isEmpty) return;
    this.#door.challengeAnew(now);
    this.#askHolder(now, out);
  }

  #welcome(session: Session, pathId: number, hello: Hello, resumed: boolean, now: number, out: Out): void {
    const { channel, sessionNumber, key } = session;
    const heartbeatMs = Math.min(MAX_HEARTBEAT_MS, Math.max(MIN_HEARTBEAT_MS, hello.heartbeatMs));
    const path = channel.addPath(pathId, heartbeatMs, now);
    const version = Math.min(hello.highest, PROTOCOL_VERSIONS.highest);
    const { received } = channel;
    channel.sendOn(path, { type: 'welcome', version, resumed, sessionNumber, received, key }, out);
  }

  #refuseCopy({ path, hello, stored }: Admitted, hasOldNumber: boolean, out: Out): void {
    const text = hasOldNumber ? 'the session number is an old one' : 'the node is here already, and alive';
    refuse(path, Reason.copy, text, out);
    const holder = this.#session?.channel.paths[0]?.id;
    const kind = hasOldNumber ? 'old-number' : 'live-session';
    const currentNumber = this.#currentNumber(stored);
    out.push({ type: 'copy', kind, path, holder, comerNumber: hello.sessionNumber, currentNumber });
  }

  #onNumberStored(sessionNumber: number, out: Out): void {
    const session = this.#session;
    if (session?.sessionNumber !== sessionNumber || session.phase !== 'storing') return;
    session.phase = 'open';
    out.push({ type: 'session-open', sessionNumber });
    if (session.feedWanted !== undefined) out.push(session.feedWanted);
    session.feedWanted = undefined;
  }

  // ——— a session's frames ———

  #onMessage(pathId: number, bytes: Uint8Array, now: number, out: Out): void {
    for (const { frame, size } of decodeFrames(bytes)) {
      const session = this.#session;
      const path = session?.channel.path(pathId);
      if (session === undefined || path === undefined) {
        this.#onComerFrame(pathId, frame, now, out);
        continue;
      }
      path.heardAt = now;
      if (!isSessionFrame(frame)) this.#onPathFrame(session, path, frame, now, out);
      else if (session.channel.accept(path, size, now)) this.#onSessionFrame(session, frame, now, out);
    }
  }

  /** A comer may show that it lives, and nothing else, before it is welcomed. */
  #onComerFrame(pathId: number, frame: Frame, now: number, out: Out): void {
    if (frame.type === 'pong' && frame.nonce === COMER_NONCE) {
      this.#door?.onAlive(pathId);
      this.#judgeComers(now, out);
      return;
    }
    if (this.#door?.remove(pathId) !== true) return;
    const reason = `${frame.type} before the welcome`;
    out.push({ type: 'close-path', path: pathId, code: CloseCode.protocol, reason });
  }

  #onPathFrame(session: Session, path: Path, frame: PathFrame, now: number, out: Out): void {
    const askedAt = path.pingSentAt;
    const rest = onPathFrame(session.channel, path, frame, now, out);
    if (askedAt >= 0 && path.pingSentAt < 0) this.#onSignOfLife(askedAt, now, out);
    if (rest === undefined) return;
    if (rest.type === 'switch') {
      this.#onSwitch(session, path, rest.generation, rest.first, out);
      return;
    }
    if (rest.type !== 'bye') throw unexpected(rest);
    this.#end(rest.reason, rest.text, CloseCode.normal, out);
    this.#judgeComers(now, out);
  }

  #onSignOfLife(askedAt: number, now: number, out: Out): void {
    if (this.#door?.onHolderAlive(askedAt, now)) this.#askHolder(now, out);
    this.#judgeComers(now, out);
  }

  #onSwitch(session: Session, path: Path, generation: number, first: number, out: Out): void {
    session.channel.onSwitch(path, first);
    // A switch that was overtaken by a later one on another path must not move us back.
    if (generation > session.channel.generation) session.channel.switchTo(path, generation);
    if (session.phase !== 'offered') return;
    session.phase = 'storing';
    out.push({ type: 'store-number', sessionNumber: session.sessionNumber });
  }

  #onSessionFrame(session: Session, frame: SessionFrame, now: number, out: Out): void {
    if (isStreamFrame(frame)) {
      session.streams.onFrame(frame, now, out);
      return;
    }
    const effects: HubSyncEffect[] = [];
    session.sync.onFrame(frame, effects);
    for (const effect of effects) {
      if (effect.type === 'feed-wanted' && session.phase !== 'open') session.feedWanted = effect;
      else out.push(effect);
    }
  }

  #flush(now: number, out: Out): void {
    const session = this.#session;
    if (session === undefined) return;
    do session.channel.flush(now, out);
    while (session.streams.fill(now, out));
  }

  // ——— paths and ends ———

  #onWritten(pathId: number, bytes: number): void {
    const path = this.#session?.channel.path(pathId);
    if (path !== undefined) path.buffered = Math.max(0, path.buffered - bytes);
  }

  #onPathClosed(pathId: number, reason: string, now: number, out: Out): void {
    this.#door?.remove(pathId);
    const session = this.#session;
    if (session?.channel.path(pathId) === undefined) return;
    session.channel.removePath(pathId);
    if (session.channel.paths.length > 0) return;
    session.pathlessSince = now;
    if (session.phase === 'offered') this.#end(Reason.other, reason, CloseCode.normal, out);
    this.#judgeComers(now, out);
  }

  #onTick(now: number, out: Out): void {
    this.#judgeComers(now, out);
    const session = this.#session;
    if (session === undefined) return;
    for (const path of session.channel.paths.slice()) {
      if (now < silentAt(path)) continue;
      out.push({ type: 'close-path', path: path.id, code: CloseCode.silent, reason: 'path is silent' });
      this.#onPathClosed(path.id, 'path is silent', now, out);
    }
    if (session.channel.paths.length === 0 && now >= session.pathlessSince + LINGER_MS) {
      this.#end(Reason.other, 'the edge cannot be reached', CloseCode.normal, out);
    }
  }

  #end(reason: Reason, text: string, code: number, out: Out): void {
    const session = this.#session;
    if (session === undefined) return;
    this.#session = undefined;
    const bytes = encodeFrame({ type: 'bye', reason, text });
    for (const { id } of session.channel.paths) {
      out.push({ type: 'write', path: id, bytes }, { type: 'close-path', path: id, code, reason: text });
    }
    session.streams.abortAll(text, out);
    out.push({ type: 'session-ended', reason: text });
  }
}

export function stepHub(
  state: HubNode,
  event: HubEvent,
  now: number,
): readonly [state: HubNode, effects: readonly HubEffect[]] {
  return [state, state.step(event, now)];
}
