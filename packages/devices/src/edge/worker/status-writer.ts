/** Writes what is known of devices into their status: coalesced, at most once in an interval, and only when it says something new. */
import { isStatus } from '@skerry/api';
import { type Clock, type Logger, messageOf, type Timer } from '@skerry/base';
import type { Client } from '@skerry/kube/client';
import { DEVICES } from '../../resources/group.ts';

/** What a status is to say. `times` are written with the rest, but are no reason to write. */
export interface StatusView {
  readonly intervalMs: number;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly times: Readonly<Record<string, unknown>>;
  /** By property; each with a time that is no reason to write either. */
  readonly reported: ReadonlyMap<string, { readonly fact: unknown; readonly json: Readonly<Record<string, unknown>> }>;
}

export interface StatusWriter {
  /** Something about the device may have changed. Cheap. `withinMs`: somebody waits for it so long, and not for the interval. */
  touch(namespace: string, name: string, withinMs?: number): void;
  /** The device is no longer ours to speak of. */
  forget(namespace: string, name: string): void;
  close(): void;
}

export interface StatusWriterOptions {
  readonly client: Pick<Client, 'patch'>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly view: (namespace: string, name: string) => StatusView | undefined;
}

export function createStatusWriter(options: StatusWriterOptions): StatusWriter {
  const entries = new Map<string, Entry>();
  return {
    touch: (namespace, name, withinMs) => {
      const key = `${namespace}/${name}`;
      const known = entries.get(key);
      if (known !== undefined) {
        known.touch(withinMs);
        return;
      }
      const made = new Entry(options, namespace, name);
      entries.set(key, made);
      made.touch(withinMs);
    },
    forget: (namespace, name) => {
      const key = `${namespace}/${name}`;
      entries.get(key)?.close();
      entries.delete(key);
    },
    close: () => {
      for (const each of entries.values()) each.close();
      entries.clear();
    },
  };
}

/** A device that has just come is about to be connected; its first status waits for that, and for values. */
const FIRST_MS = 500;

/** What somebody waits for is written at most so often, over time; so much of it may come at once. */
const AWAITED_MS = 20;
const AWAITED_BURST_MS = 10 * AWAITED_MS;

/** After a failed write: whoever could not be reached is not asked all the time. */
const RETRY_MS = 5000;

class Entry {
  readonly #options: StatusWriterOptions;
  readonly #namespace: string;
  readonly #name: string;
  readonly #closing = new AbortController();
  #timer: Timer | undefined;
  /** It is looked at when this turn ends. */
  #isDue = false;
  #isWriting = false;
  #isTouched = false;
  /** When the one who waits for it wants it to be written. */
  #wantedAt = Number.POSITIVE_INFINITY;
  #notBefore: number;
  /** When the next write that somebody waits for may begin. */
  #awaitedAt: number;
  #facts = '';
  #reported = new Map<string, string>();

  constructor(options: StatusWriterOptions, namespace: string, name: string) {
    this.#options = options;
    this.#namespace = namespace;
    this.#name = name;
    this.#notBefore = options.clock.monotonic() + FIRST_MS;
    this.#awaitedAt = options.clock.monotonic() - AWAITED_BURST_MS;
  }

  touch(withinMs?: number): void {
    this.#isTouched = true;
    if (withinMs === undefined) {
      if (this.#timer === undefined) this.#arm();
      return;
    }
    this.#wantedAt = Math.min(this.#wantedAt, this.#options.clock.monotonic() + withinMs);
    this.#arm();
  }

  close(): void {
    this.#closing.abort();
    this.#timer?.cancel();
  }

  #arm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#isDue || this.#isWriting || this.#closing.signal.aborted) return;
    const { clock } = this.#options;
    const wait = Math.min(this.#notBefore, Math.max(this.#wantedAt, this.#awaitedAt)) - clock.monotonic();
    // What is said in this turn still goes along; a timer would cost a millisecond that somebody waits for.
    this.#isDue = wait <= 0;
    if (this.#isDue) queueMicrotask(() => void this.#look());
    else this.#timer = clock.after(wait, () => void this.#look(), { unref: true });
  }

  async #look(): Promise<void> {
    this.#timer = undefined;
    this.#isDue = false;
    this.#isTouched = false;
    this.#wantedAt = Number.POSITIVE_INFINITY;
    const { clock, view } = this.#options;
    const shown = view(this.#namespace, this.#name);
    if (shown === undefined || this.#closing.signal.aborted) return;
    const now = clock.monotonic();
    this.#notBefore = now + shown.intervalMs;
    this.#awaitedAt = Math.max(this.#awaitedAt, now - AWAITED_BURST_MS) + AWAITED_MS;
    const patch = this.#difference(shown);
    if (patch === undefined) return;
    this.#isWriting = true;
    await this.#write(shown, patch);
    this.#isWriting = false;
    if (this.#isTouched) this.#arm();
  }

  /** Undefined when there is no reason to write. */
  #difference({ facts, times, reported }: StatusView): object | undefined {
    const changed = [...reported].filter(([name, { fact }]) => this.#reported.get(name) !== JSON.stringify(fact));
    const gone = [...this.#reported.keys()].filter((name) => !reported.has(name));
    if (changed.length === 0 && gone.length === 0 && JSON.stringify(facts) === this.#facts) return undefined;
    return {
      ...facts,
      ...times,
      reported: Object.fromEntries([
        ...changed.map(([name, { json }]) => [name, json]),
        ...gone.map((name) => [name, null]),
      ]),
    };
  }

  async #write({ facts, reported }: StatusView, patch: object): Promise<void> {
    const { client, clock, log } = this.#options;
    const ref = { gvr: DEVICES, namespace: this.#namespace, name: this.#name };
    try {
      await client.patch(
        ref,
        { status: patch },
        { type: 'merge', subresource: 'status', signal: this.#closing.signal },
      );
      this.#facts = JSON.stringify(facts);
      this.#reported = new Map([...reported].map(([name, { fact }]) => [name, JSON.stringify(fact)]));
    } catch (error) {
      if (this.#closing.signal.aborted || isStatus(error, 'NotFound')) return;
      log.warn({ device: `${this.#namespace}/${this.#name}`, error: messageOf(error) }, 'device status not written');
      this.#notBefore = clock.monotonic() + RETRY_MS;
      this.#awaitedAt = this.#notBefore;
      this.#isTouched = true;
    }
  }
}
