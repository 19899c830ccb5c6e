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
  /** Something about the device may have changed. Cheap. `soon`: somebody waits for it, and not for the interval. */
  touch(namespace: string, name: string, how?: TouchOptions): void;
  /** The device is no longer ours to speak of. */
  forget(namespace: string, name: string): void;
  close(): void;
}

export interface TouchOptions {
  readonly soon?: boolean;
}

export interface StatusWriterOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  readonly view: (namespace: string, name: string) => StatusView | undefined;
}

export function createStatusWriter(options: StatusWriterOptions): StatusWriter {
  const entries = new Map<string, Entry>();
  return {
    touch: (namespace, name, { soon = false } = {}) => {
      const key = `${namespace}/${name}`;
      const known = entries.get(key);
      if (known !== undefined) {
        known.touch(soon);
        return;
      }
      const made = new Entry(options, namespace, name);
      entries.set(key, made);
      made.touch(soon);
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

/** What somebody waits for is written at most so often. */
const SOON_MS = 20;

/** After a failed write: whoever could not be reached is not asked all the time. */
const RETRY_MS = 5000;

class Entry {
  readonly #options: StatusWriterOptions;
  readonly #namespace: string;
  readonly #name: string;
  readonly #closing = new AbortController();
  #timer: Timer | undefined;
  #isWriting = false;
  #isTouched = false;
  #isSoon = false;
  #notBefore: number;
  #notSoonBefore: number;
  #facts = '';
  #reported = new Map<string, string>();

  constructor(options: StatusWriterOptions, namespace: string, name: string) {
    this.#options = options;
    this.#namespace = namespace;
    this.#name = name;
    this.#notBefore = options.clock.monotonic() + FIRST_MS;
    this.#notSoonBefore = options.clock.monotonic();
  }

  touch(soon: boolean): void {
    this.#isTouched = true;
    if (soon && !this.#isSoon) {
      this.#isSoon = true;
      this.#timer?.cancel();
      this.#timer = undefined;
    }
    if (this.#timer !== undefined || this.#isWriting || this.#closing.signal.aborted) return;
    const { clock } = this.#options;
    const due = this.#isSoon ? Math.min(this.#notBefore, this.#notSoonBefore) : this.#notBefore;
    this.#timer = clock.after(Math.max(0, due - clock.monotonic()), () => void this.#look(), { unref: true });
  }

  close(): void {
    this.#closing.abort();
    this.#timer?.cancel();
  }

  async #look(): Promise<void> {
    this.#timer = undefined;
    this.#isTouched = false;
    this.#isSoon = false;
    const { clock, view } = this.#options;
    const shown = view(this.#namespace, this.#name);
    if (shown === undefined || this.#closing.signal.aborted) return;
    this.#notBefore = clock.monotonic() + shown.intervalMs;
    this.#notSoonBefore = clock.monotonic() + SOON_MS;
    const patch = this.#difference(shown);
    if (patch === undefined) return;
    this.#isWriting = true;
    await this.#write(shown, patch);
    this.#isWriting = false;
    if (this.#isTouched) this.touch(false);
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
      this.#notSoonBefore = this.#notBefore;
      this.#isTouched = true;
    }
  }
}
