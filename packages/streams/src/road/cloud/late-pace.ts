/**
 * Tells an edge that its late pieces have come, which lets it send more: not while the store has little room left, which is for what
 * is new. How long it waits then, the edge sees, and sends less at a time.
 */
import type { Clock } from '@skerry/base';
import type { CloudMessage } from '../wire/messages.ts';

export interface LatePaceOptions {
  readonly isCrowded: () => boolean;
  readonly send: (message: CloudMessage) => Promise<void>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const LOOK_MS = 10;

export class LatePace {
  readonly #options: LatePaceOptions;
  /** Says all that the ones before it say. */
  #latest: CloudMessage | undefined;
  #isWaiting = false;

  constructor(options: LatePaceOptions) {
    this.#options = options;
  }

  async tell(message: CloudMessage): Promise<void> {
    this.#latest = message;
    if (this.#isWaiting) return;
    if (this.#options.isCrowded()) void this.#wait();
    else await this.#send();
  }

  async #wait(): Promise<void> {
    const { clock, signal, isCrowded } = this.#options;
    this.#isWaiting = true;
    try {
      do await clock.sleep(LOOK_MS, signal);
      while (isCrowded());
      await this.#send();
    } catch {
      // The stream is over, and whoever reads it knows.
    } finally {
      this.#isWaiting = false;
    }
  }

  async #send(): Promise<void> {
    const message = this.#latest;
    this.#latest = undefined;
    if (message !== undefined) await this.#options.send(message);
  }
}
