/** What Devices with one endpoint share: opened by the first of them, closed after the last. */
import { DriverError } from '../driver-error.ts';

export interface Shareable {
  /** With what ended it. Never rejects. */
  readonly ended: Promise<DriverError | undefined>;
  close(): void;
}

export interface Wanted<Thing> {
  /** The same for all that are to share it. */
  readonly key: string;
  /** What they must agree on. */
  readonly terms: string;
  /** The signal aborts when nobody wants it any more. Rejects with a DriverError. */
  readonly open: (signal: AbortSignal) => Promise<Thing>;
}

export interface Share<Thing> {
  readonly thing: Thing;
  /** The others go on. Again is harmless. */
  release(): void;
}

export class Shared<Thing extends Shareable> {
  readonly #open = new Map<string, Opened<Thing>>();

  /** Rejects with a DriverError. */
  async acquire(wanted: Wanted<Thing>, signal: AbortSignal): Promise<Share<Thing>> {
    return givenUpBy(signal, this.#opened(wanted).join());
  }

  close(): void {
    for (const opened of this.#open.values()) opened.close();
  }

  #opened(wanted: Wanted<Thing>): Opened<Thing> {
    const { key, terms } = wanted;
    const known = this.#open.get(key);
    if (known?.isOver === false) {
      if (known.terms === terms) return known;
      throw new DriverError('Misconfigured', 'another Device has the same endpoint with other settings of the line');
    }
    const opened = new Opened(wanted);
    this.#open.set(key, opened);
    void opened.over.then(() => this.#open.get(key) === opened && this.#open.delete(key));
    return opened;
  }
}

class Opened<Thing extends Shareable> {
  readonly terms: string;
  readonly over: Promise<void>;
  readonly #opening: Promise<Thing>;
  readonly #ending = Promise.withResolvers<void>();
  readonly #giveUp = new AbortController();
  #members = 0;
  #isOver = false;

  constructor({ terms, open }: Wanted<Thing>) {
    this.terms = terms;
    this.over = this.#ending.promise;
    this.#opening = this.#openThing(open);
    // Whoever joins hears of it.
    this.#opening.catch(() => {});
  }

  /** Nobody can join any more. */
  get isOver(): boolean {
    return this.#isOver;
  }

  async join(): Promise<Share<Thing>> {
    this.#members++;
    let hasLeft = false;
    const release = () => {
      if (hasLeft) return;
      hasLeft = true;
      if (--this.#members === 0) this.close();
    };
    try {
      return { thing: await this.#opening, release };
    } catch (error) {
      release();
      throw error;
    }
  }

  close(): void {
    this.#giveUp.abort();
    this.#end();
    this.#opening.then(
      (thing) => thing.close(),
      () => {},
    );
  }

  async #openThing(open: Wanted<Thing>['open']): Promise<Thing> {
    const { signal } = this.#giveUp;
    try {
      const thing = await open(signal);
      void thing.ended.then(() => this.#end());
      if (!signal.aborted) return thing;
      thing.close();
      throw new DriverError('Closed', 'the attempt to connect was given up');
    } catch (error) {
      this.#end();
      throw error;
    }
  }

  #end(): void {
    this.#isOver = true;
    this.#ending.resolve();
  }
}

/** Others may still want what one gives up. */
async function givenUpBy<Thing>(signal: AbortSignal, acquiring: Promise<Share<Thing>>): Promise<Share<Thing>> {
  const giveUp = Promise.withResolvers<never>();
  const onAbort = () => giveUp.reject(new DriverError('Closed', 'the attempt to connect was given up'));
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([acquiring, giveUp.promise]);
  } catch (error) {
    if (signal.aborted)
      void acquiring.then(
        (share) => share.release(),
        () => {},
      );
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
