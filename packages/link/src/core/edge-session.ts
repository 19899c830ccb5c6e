/**
 * The edge's state machine: dials, greets, holds one session over its paths, moves it when a path fails.
 * `stepEdge(state, event, now)` takes the state over and gives it back with what to do: no sockets, no clock.
 */
import { hasCode, messageOf } from '@skerry/base';
import type { Position } from '../contract.ts';
import { errors } from '../errors.ts';
import { LINGER_MS, PROTOCOL_VERSIONS } from '../limits.ts';
import { bytesEqual } from './bytes.ts';
import { Channel, type Path } from './channel.ts';
import { DialPlan } from './dial-plan.ts';
import type { EdgeConfig, EdgeEffect, EdgeEvent } from './edge-events.ts';
import { EdgeSync } from './edge-sync.ts';
import {
  CloseCode,
  decodeFrames,
  encodeFrame,
  type Frame,
  isSessionFrame,
  KEY_BYTES,
  type PathFrame,
  Reason,
  type SessionFrame,
} from './frame.ts';
import { encodeHello, Greetings } from './greetings.ts';
import { deadlineOf, failOver, fillLane, type HeldSession } from './held-session.ts';
import { onPathFrame, ping, silentAt, unexpected } from './path-frames.ts';
import { isStreamFrame } from './stream-events.ts';
import { Streams } from './streams.ts';

type Out = EdgeEffect[];

const NO_KEY = new Uint8Array(0);

export class EdgeSession {
  readonly #config: EdgeConfig;
  readonly #plan: DialPlan;
  readonly #greeting = new Greetings();
  #sessionNumber: number;
  #session: HeldSession | undefined;
  #nextPath = 1;
  #isRunning = false;
  refused: { readonly reason: Reason; readonly text: string } | undefined;
  lastError: string | undefined;

  constructor(config: EdgeConfig) {
    this.#config = config;
    this.#plan = new DialPlan(config.random);
    this.#sessionNumber = config.sessionNumber;
  }

  get sessionNumber(): number {
    return this.#sessionNumber;
  }

  get channel(): Channel | undefined {
    return this.#session?.channel;
  }

  get streams(): Streams | undefined {
    return this.#session?.streams;
  }

  get isConnected(): boolean {
    return this.#session?.sync !== undefined && this.#session.channel.active !== undefined;
  }

  get isCurrent(): boolean {
    return this.isConnected && this.#session?.sync?.isCurrent === true;
  }

  /** When the next `tick` is due at the latest. */
  deadline(): number {
    if (!this.#isRunning) return Number.POSITIVE_INFINITY;
    let next = this.#wantsDial() ? this.#plan.dialAt : Number.POSITIVE_INFINITY;
    next = Math.min(next, this.#greeting.deadline());
    return this.#session === undefined ? next : Math.min(next, deadlineOf(this.#session));
  }

  /** `stepEdge` is the way in. */
  step(event: EdgeEvent, now: number): EdgeEffect[] {
    const out: Out = [];
    try {
      this.#on(event, now, out);
    } catch (error) {
      if (!hasCode(error, 'LINK_PROTOCOL')) throw error;
      this.#fail(messageOf(error), event.type === 'message' ? event.path : undefined, now, out);
    }
    if (event.type !== 'message' && event.type !== 'written' && event.type !== 'flush') this.#dialIfDue(now, out);
    return out;
  }

  #on(event: EdgeEvent, now: number, out: Out): void {
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
      case 'start':
        this.#isRunning = true;
        this.#plan.dialNow(now);
        return;
      case 'retry-now':
        if (this.#isRunning) this.#plan.dialNow(now);
        return;
      case 'stop':
        this.#stop(out);
        return;
      case 'path-open':
        this.#greet(event.path, out);
        return;
      case 'path-closed':
        this.#onPathClosed(event.path, event.reason, event.refused, now, out);
        return;
      case 'number-stored':
        this.#onNumberStored(event.sessionNumber, event.position, out);
        return;
      case 'applied':
      case 'versions':
      case 'outbox-appended':
      case 'outbox-entries':
        this.#session?.sync?.onEvent(event);
        return;
      default:
        this.#session?.streams.onEvent(event, now, out);
        return;
    }
  }

  // ——— greeting ———

  #wantsDial(): boolean {
    const paths = this.#session?.channel.paths.length ?? 0;
    const wanted = this.isConnected ? this.#config.paths : 1;
    return paths + this.#greeting.size < wanted;
  }

  #dialIfDue(now: number, out: Out): void {
    if (!this.#isRunning || now < this.#plan.dialAt || !this.#wantsDial()) return;
    const path = this.#nextPath++;
    this.#greeting.add(path, now);
    out.push({ type: 'dial', path, turn: this.#plan.takeTurn() });
  }

  #greet(path: number, out: Out): void {
    if (!this.#greeting.has(path)) return;
    const session = this.#session;
    const hasPath = session?.channel.active !== undefined;
    const bytes = encodeHello({
      sessionNumber: this.#sessionNumber,
      heartbeatMs: this.#config.heartbeatMs,
      received: session?.channel.received ?? 0,
      key: session?.key ?? NO_KEY,
      joinOnly: hasPath || !this.#greeting.takeBeginning(path),
    });
    out.push({ type: 'write', path, bytes });
  }

  #onGreeting(path: number, frame: Frame, now: number, out: Out): void {
    if (frame.type === 'ping') {
      out.push({ type: 'write', path, bytes: encodeFrame({ type: 'pong', nonce: frame.nonce }) });
      return;
    }
    this.#greeting.delete(path);
    if (frame.type === 'refuse') {
      this.#onRefused(path, frame.reason, frame.retryAfterMs, frame.text, now, out);
      return;
    }
    if (frame.type !== 'welcome') throw unexpected(frame);
    if (frame.version < PROTOCOL_VERSIONS.lowest || frame.version > PROTOCOL_VERSIONS.highest) {
      throw errors.PROTOCOL({ detail: `version ${frame.version} was not offered` });
    }
    this.refused = undefined;
    this.lastError = undefined;
    if (frame.resumed) this.#join(path, frame, now, out);
    else this.#begin(path, frame, now, out);
    out.push({ type: 'status' });
  }

  #join(path: number, frame: Extract<PathFrame, { type: 'welcome' }>, now: number, out: Out): void {
    const session = this.#session;
    // The session may have ended here while the greeting was on its way: the next hello begins a new one.
    if (session === undefined || !bytesEqual(session.key, frame.key)) {
      out.push({ type: 'close-path', path, code: CloseCode.normal, reason: 'session is over' });
      this.#plan.onFailure(now);
      return;
    }
    const joined = session.channel.addPath(path, this.#config.heartbeatMs, now);
    session.channel.onAck(frame.received);
    if (session.channel.active === undefined && session.sync !== undefined) session.channel.switchTo(joined);
  }

  #begin(path: number, frame: Extract<PathFrame, { type: 'welcome' }>, now: number, out: Out): void {
    if (frame.key.length !== KEY_BYTES || frame.sessionNumber <= this.#sessionNumber) {
      throw errors.PROTOCOL({ detail: `session number ${frame.sessionNumber} after ${this.#sessionNumber}` });
    }
    this.#endSession('the hub began a new session', out);
    const channel = new Channel();
    channel.addPath(path, this.#config.heartbeatMs, now);
    const { key, sessionNumber } = frame;
    const streams = new Streams(channel, 'edge');
    this.#session = { key: key.slice(), sessionNumber, channel, streams, sync: undefined, pathlessSince: now };
    out.push({ type: 'store-number', sessionNumber });
  }

  /** Invariant: nothing is sent in a session before its number is on disk; the first switch tells the hub that it is. */
  #onNumberStored(sessionNumber: number, position: Position, out: Out): void {
    this.#sessionNumber = Math.max(this.#sessionNumber, sessionNumber);
    const session = this.#session;
    if (session?.sessionNumber !== sessionNumber || session.sync !== undefined) return;
    session.sync = new EdgeSync(session.channel, position);
    const [path] = session.channel.paths;
    if (path !== undefined) session.channel.switchTo(path);
    out.push({ type: 'status' });
  }

  #onRefused(path: number, reason: Reason, retryAfterMs: number, text: string, now: number, out: Out): void {
    this.refused = { reason, text };
    this.lastError = text;
    this.#plan.onRefusal(reason, retryAfterMs, now);
    out.push({ type: 'close-path', path, code: CloseCode.normal, reason: 'refused' }, { type: 'status' });
  }

  // ——— a session's frames ———

  #onMessage(pathId: number, bytes: Uint8Array, now: number, out: Out): void {
    for (const { frame, size } of decodeFrames(bytes)) {
      if (this.#greeting.has(pathId)) {
        this.#onGreeting(pathId, frame, now, out);
        continue;
      }
      const session = this.#session;
      const path = session?.channel.path(pathId);
      if (session === undefined || path === undefined) return;
      path.heardAt = now;
      if (!isSessionFrame(frame)) this.#onPathFrame(session, path, frame, now, out);
      else if (session.channel.accept(path, size, now)) this.#onSessionFrame(session, frame, now, out);
    }
  }

  #onPathFrame(session: HeldSession, path: Path, frame: PathFrame, now: number, out: Out): void {
    const rest = onPathFrame(session.channel, path, frame, now, out);
    if (rest === undefined) return;
    if (rest.type === 'switch') {
      session.channel.onSwitch(path, rest.first);
      return;
    }
    if (rest.type === 'bye') {
      this.#onBye(rest.reason, rest.text, now, out);
      return;
    }
    throw unexpected(rest);
  }

  #onSessionFrame(session: HeldSession, frame: SessionFrame, now: number, out: Out): void {
    if (isStreamFrame(frame)) {
      session.streams.onFrame(frame, now, out);
      return;
    }
    if (session.sync === undefined) throw unexpected(frame);
    const wasCurrent = session.sync.isCurrent;
    session.sync.onFrame(frame, out);
    if (session.sync.isCurrent !== wasCurrent) out.push({ type: 'status' });
  }

  #onBye(reason: Reason, text: string, now: number, out: Out): void {
    this.lastError = text;
    if (reason !== Reason.stopping && reason !== Reason.replaced) this.refused = { reason, text };
    this.#closePaths(CloseCode.normal, 'goodbye', out);
    this.#endSession(text, out);
    this.#plan.onRefusal(reason, 0, now);
    out.push({ type: 'status' });
  }

  #flush(now: number, out: Out): void {
    const session = this.#session;
    if (session === undefined) return;
    do session.channel.flush(now, out);
    while (fillLane(session, now, out));
  }

  // ——— paths ———

  #onWritten(pathId: number, bytes: number): void {
    const path = this.#session?.channel.path(pathId);
    if (path !== undefined) path.buffered = Math.max(0, path.buffered - bytes);
  }

  #onPathClosed(pathId: number, reason: string, refused: Reason | undefined, now: number, out: Out): void {
    if (this.#greeting.delete(pathId)) {
      this.lastError = reason;
      if (refused === undefined) this.#plan.onFailure(now);
      else this.#onRefused(pathId, refused, 0, reason, now, out);
      out.push({ type: 'status' });
      return;
    }
    const session = this.#session;
    const path = session?.channel.path(pathId);
    if (session === undefined || path === undefined) return;
    this.lastError = reason;
    const wasActive = session.channel.active === path;
    session.channel.removePath(pathId);
    if (wasActive || session.channel.active === undefined) failOver(session);
    if (session.channel.paths.length === 0) session.pathlessSince = now;
    this.#plan.onLoss(path.openedAt, now);
    out.push({ type: 'status' });
  }

  #onTick(now: number, out: Out): void {
    for (const path of this.#greeting.late(now)) this.#drop(path, 'no welcome in time', now, out);
    const session = this.#session;
    if (session === undefined) return;
    for (const path of session.channel.paths.slice()) {
      if (now >= silentAt(path)) this.#drop(path.id, 'path is silent', now, out);
      else if (now >= path.pingDueAt) ping(session.channel, path, now, out);
    }
    if (session.channel.paths.length === 0 && now >= session.pathlessSince + LINGER_MS) {
      this.#endSession('the cloud cannot be reached', out);
    }
  }

  #drop(path: number, reason: string, now: number, out: Out): void {
    out.push({ type: 'close-path', path, code: CloseCode.silent, reason });
    this.#onPathClosed(path, reason, undefined, now, out);
  }

  // ——— ends ———

  /** The peer broke the protocol: on a path that only greets, that path ends; in a session, the session does. */
  #fail(reason: string, pathId: number | undefined, now: number, out: Out): void {
    this.lastError = reason;
    const isMember = pathId === undefined || this.#session?.channel.path(pathId) !== undefined;
    if (isMember) {
      this.#closePaths(CloseCode.protocol, reason, out);
      this.#endSession(reason, out);
    } else {
      this.#greeting.delete(pathId);
      out.push({ type: 'close-path', path: pathId, code: CloseCode.protocol, reason });
    }
    this.#plan.onFailure(now);
    out.push({ type: 'status' });
  }

  #stop(out: Out): void {
    this.#isRunning = false;
    this.#plan.stop();
    for (const path of this.#session?.channel.paths ?? []) {
      const bytes = encodeFrame({ type: 'bye', reason: Reason.stopping, text: 'edge stops' });
      out.push({ type: 'write', path: path.id, bytes });
    }
    this.#closePaths(CloseCode.normal, 'edge stops', out);
    for (const path of this.#greeting.takeAll()) {
      out.push({ type: 'close-path', path, code: CloseCode.normal, reason: 'edge stops' });
    }
    this.#endSession('edge stops', out);
    out.push({ type: 'status' });
  }

  #closePaths(code: number, reason: string, out: Out): void {
    for (const { id } of this.#session?.channel.paths ?? []) out.push({ type: 'close-path', path: id, code, reason });
  }

  #endSession(reason: string, out: Out): void {
    const session = this.#session;
    if (session === undefined) return;
    this.#session = undefined;
    session.streams.abortAll(reason, out);
    out.push({ type: 'session-ended', reason });
  }
}

export function stepEdge(state: EdgeSession, event: EdgeEvent, now: number): readonly [EdgeSession, EdgeEffect[]] {
  return [state, state.step(event, now)];
}
