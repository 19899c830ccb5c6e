/** How often somebody may try to be somebody: so many wrong passwords for one user from one address, then a pause. */
import type { Clock, Logger } from '@skerry/base';

/** So many in a row. */
export const MAX_FAILED_LOGINS = 10;
/** From the first of them on. */
export const FAILED_LOGINS_WINDOW_MS = 60_000;
/** Addresses that are remembered; the one that has tried least lately is forgotten. */
const MAX_PEERS = 4096;
/** Names of one address that are counted apart; what is tried beyond is counted together. */
const MAX_NAMES = 64;

interface Tries {
  failures: number;
  /** By the monotonic clock: what is counted so far counts no more. */
  until: number;
  waiting: number;
  turn: Promise<unknown>;
}

export class LoginAttempts {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #peers = new Map<string, Map<string, Tries>>();
  #turnedAway = 0;

  constructor({ clock, log }: { readonly clock: Clock; readonly log: Logger }) {
    this.#clock = clock;
    this.#log = log;
  }

  /** Logins whose password was not looked at, because too many before it were wrong. */
  get turnedAway(): number {
    return this.#turnedAway;
  }

  /**
   * Whether the check says yes; false without asking it during a pause. Those for one name from one address are asked one
   * after another, so that many at once are no way around the limit.
   */
  async attempt(peer: string, name: string, check: () => Promise<boolean>): Promise<boolean> {
    const names = this.#namesOf(peer);
    const counted = this.#isCounted(names, name) ? name : OTHERS;
    const tries = names.get(counted) ?? { failures: 0, until: 0, waiting: 0, turn: Promise.resolve() };
    names.set(counted, tries);
    tries.waiting++;
    const onLimit = () =>
      this.#log.warn({ peer, user: name, pauseMs: FAILED_LOGINS_WINDOW_MS }, 'too many logins failed');
    const result = tries.turn.then(() => this.#try(tries, check, onLimit));
    tries.turn = result.catch(() => {});
    try {
      return await result;
    } finally {
      tries.waiting--;
      if (tries.failures === 0 && tries.waiting === 0) names.delete(counted);
    }
  }

  async #try(tries: Tries, check: () => Promise<boolean>, onLimit: () => void): Promise<boolean> {
    if (this.#clock.monotonic() >= tries.until) tries.failures = 0;
    if (tries.failures >= MAX_FAILED_LOGINS) {
      this.#turnedAway++;
      return false;
    }
    const isRight = await check();
    if (isRight) {
      tries.failures = 0;
      return true;
    }
    if (tries.failures++ === 0) tries.until = this.#clock.monotonic() + FAILED_LOGINS_WINDOW_MS;
    if (tries.failures === MAX_FAILED_LOGINS) onLimit();
    return false;
  }

  #namesOf(peer: string): Map<string, Tries> {
    const names = this.#peers.get(peer) ?? new Map<string, Tries>();
    this.#peers.delete(peer);
    this.#peers.set(peer, names);
    const [oldest] = this.#peers.keys();
    if (this.#peers.size > MAX_PEERS && oldest !== undefined) this.#peers.delete(oldest);
    return names;
  }

  #isCounted(names: Map<string, Tries>, name: string): boolean {
    if (names.has(name) || names.size < MAX_NAMES) return true;
    const now = this.#clock.monotonic();
    for (const [known, { until, waiting }] of names) if (waiting === 0 && now >= until) names.delete(known);
    return names.size < MAX_NAMES;
  }
}

/** No name of a user is empty. */
const OTHERS = '';
