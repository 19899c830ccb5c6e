/**
 * Those who want the place of a session that seems alive, or come with an old number. Both they and the holder are asked for a
 * sign of life: a greeting can be late, its sender dead and back, and nobody is called a copy before both were seen alive.
 */
import { CHALLENGE_MS } from '../limits.ts';
import { CloseCode, encodeFrame, type Reason } from './frame.ts';
import type { Admitted, HubEffect } from './hub-events.ts';

interface Comer {
  readonly admitted: Admitted;
  readonly hasOldNumber: boolean;
  readonly since: number;
  until: number;
  isAlive: boolean;
  isHolderAlive: boolean;
}

export interface Verdict {
  readonly admitted: Admitted;
  readonly hasOldNumber: boolean;
  /** `late`: the holder lives and the comer did not answer, so it is refused without suspicion. */
  readonly verdict: 'let-in' | 'copy' | 'late';
}

/** More at one node's door are told to come again. */
const MAX_COMERS = 4;

export class Door {
  #comers: Comer[] = [];

  get isEmpty(): boolean {
    return this.#comers.length === 0;
  }

  deadline(): number {
    return Math.min(...this.#comers.map(({ until }) => until));
  }

  /** False when too many wait. */
  add(admitted: Admitted, hasOldNumber: boolean, now: number): boolean {
    if (this.#comers.length >= MAX_COMERS) return false;
    const until = now + CHALLENGE_MS;
    this.#comers.push({ admitted, hasOldNumber, since: now, until, isAlive: false, isHolderAlive: false });
    return true;
  }

  onAlive(path: number): void {
    for (const comer of this.#comers) if (comer.admitted.path === path) comer.isAlive = true;
  }

  /**
   * The holder answered what it was asked at `askedAt`. Invariant: that says nothing to those who came later, since it may be
   * they who came after its death. True when there are such, whose challenge begins now: ask again.
   */
  onHolderAlive(askedAt: number, now: number): boolean {
    let mustAsk = false;
    for (const comer of this.#comers) {
      if (comer.since <= askedAt) comer.isHolderAlive = true;
      if (comer.isHolderAlive || comer.hasOldNumber) continue;
      comer.until = now + CHALLENGE_MS;
      mustAsk = true;
    }
    return mustAsk;
  }

  /** The holder is another one now, and has not been asked yet. */
  challengeAnew(now: number): void {
    for (const comer of this.#comers) {
      comer.until = now + CHALLENGE_MS;
      comer.isHolderAlive = false;
    }
  }

  /** False when nobody waits on that path. */
  remove(path: number): boolean {
    const before = this.#comers.length;
    this.#comers = this.#comers.filter(({ admitted }) => admitted.path !== path);
    return this.#comers.length < before;
  }

  /** Takes one whose case is clear away from the door. */
  judge(now: number, holderHasPaths: boolean): Verdict | undefined {
    for (const { admitted, hasOldNumber, isAlive, isHolderAlive, until } of this.#comers) {
      const mustStayOut = hasOldNumber || isHolderAlive;
      const isClear = now >= until || (mustStayOut ? isAlive : !holderHasPaths);
      if (!isClear) continue;
      this.remove(admitted.path);
      return { admitted, hasOldNumber, verdict: verdictOn(mustStayOut, isAlive) };
    }
    return undefined;
  }

  takeAll(): readonly Admitted[] {
    const all = this.#comers.map(({ admitted }) => admitted);
    this.#comers = [];
    return all;
  }
}

function verdictOn(mustStayOut: boolean, isAlive: boolean): Verdict['verdict'] {
  if (!mustStayOut) return 'let-in';
  return isAlive ? 'copy' : 'late';
}

/** Sends one away that was not let in. */
export function refuse(path: number, reason: Reason, text: string, out: HubEffect[], retryAfterMs = 0): void {
  const bytes = encodeFrame({ type: 'refuse', reason, retryAfterMs, text });
  out.push({ type: 'write', path, bytes }, { type: 'close-path', path, code: CloseCode.refused, reason: text });
}
