/** The audit log of the registry's door, which nobody without a name can fill: what they are refused is counted. */
import type { AuditEvent, AuditLog } from '@skerry/api';
import type { Clock, Timer } from '@skerry/base';

/** So often what one peer was refused in a row becomes a line. */
export const RECORD_INTERVAL_MS = 60_000;
/** Peers that are counted apart; those beyond share one count. */
const MAX_PEERS = 1024;
const OTHERS = 'others';
const MAX_PATH_LENGTH = 512;

interface Tally {
  count: number;
  last: AuditEvent | undefined;
  readonly timer: Timer;
}

export class Records implements Disposable {
  readonly #audit: AuditLog;
  readonly #clock: Clock;
  readonly #tallies = new Map<string, Tally>();

  constructor(audit: AuditLog, clock: Clock) {
    this.#audit = audit;
    this.#clock = clock;
  }

  add(event: Omit<AuditEvent, 'time'>, isKnown: boolean): void {
    const time = new Date(this.#clock.now()).toISOString();
    const path = event.path.slice(0, MAX_PATH_LENGTH);
    const full = { ...event, path, time };
    if (isKnown || event.code < 400) this.#audit.append(full);
    else this.#tally(full);
  }

  /** What was counted so far is written. */
  [Symbol.dispose](): void {
    for (const key of this.#tallies.keys()) this.#end(key);
  }

  /** The first refusal is written at once, those that follow in the interval as one line at its end. */
  #tally(event: AuditEvent): void {
    const peer = event.sourceIp ?? '';
    const key = this.#tallies.has(peer) || this.#tallies.size < MAX_PEERS ? peer : OTHERS;
    const tally = this.#tallies.get(key);
    if (tally !== undefined) {
      tally.count++;
      tally.last = event;
      return;
    }
    this.#audit.append(event);
    const timer = this.#clock.after(RECORD_INTERVAL_MS, () => this.#end(key), { unref: true });
    this.#tallies.set(key, { count: 0, last: undefined, timer });
  }

  #end(key: string): void {
    const tally = this.#tallies.get(key);
    tally?.timer.cancel();
    this.#tallies.delete(key);
    if (tally?.last === undefined) return;
    const reason = `the last of ${tally.count} requests that were refused${key === OTHERS ? ', of many peers' : ''}`;
    this.#audit.append({ ...tally.last, reason });
  }
}
