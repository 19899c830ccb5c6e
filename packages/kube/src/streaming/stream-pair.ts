/** Two message streams that lead to each other, in memory: a node that answers its own API needs no link. */
import type { MessageStream } from './contract.ts';
import { streamingErrors } from './errors.ts';

/** Messages that may wait in one direction; the sender waits beyond it. */
export const MAX_PAIR_MESSAGES = 16;

export interface StreamPair {
  readonly opener: MessageStream;
  readonly answerer: MessageStream;
  /** Resolves when the answerer takes the stream: says so, reads, sends or ends. */
  readonly accepted: Promise<void>;
}

export function streamPair(): StreamPair {
  const there = new Direction();
  const back = new Direction();
  const { promise: accepted, resolve: accept } = Promise.withResolvers<void>();
  const opener = endOf(there, back);
  const plain = endOf(back, there);
  const answerer: MessageStream = {
    ...plain,
    accept,
    send: (message) => {
      accept();
      return plain.send(message);
    },
    incoming: {
      [Symbol.asyncIterator]: () => {
        accept();
        return plain.incoming[Symbol.asyncIterator]();
      },
    },
    end: () => {
      accept();
      plain.end();
    },
  };
  return { opener, answerer, accepted };
}

function endOf(out: Direction, into: Direction): MessageStream {
  const abort = (reason: string) => {
    out.break(reason);
    into.break(reason);
  };
  return {
    send: (message) => out.push(message),
    incoming: into,
    end: () => out.finish(),
    abort,
    closed: Promise.all([out.finished, into.finished]).then(() => {}),
  };
}

/** One way: a bounded queue with an end. */
class Direction implements AsyncIterable<Uint8Array> {
  readonly finished: Promise<void>;
  #resolveFinished = () => {};
  readonly #waiting: Uint8Array[] = [];
  #reason: string | undefined;
  #hasEnded = false;
  #wake: (() => void)[] = [];

  constructor() {
    this.finished = new Promise((resolve) => {
      this.#resolveFinished = resolve;
    });
  }

  async push(message: Uint8Array): Promise<void> {
    while (this.#waiting.length >= MAX_PAIR_MESSAGES && !this.#hasEnded) await this.#change();
    if (this.#hasEnded) throw streamingErrors.CLOSED();
    this.#waiting.push(message);
    this.#notify();
  }

  finish(): void {
    this.#hasEnded = true;
    this.#resolveFinished();
    this.#notify();
  }

  break(reason: string): void {
    if (this.#hasEnded && this.#waiting.length === 0) return;
    this.#reason ??= reason;
    this.#waiting.length = 0;
    this.finish();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      const message = this.#waiting.shift();
      if (message !== undefined) {
        this.#notify();
        yield message;
      } else if (this.#hasEnded) {
        if (this.#reason !== undefined) throw streamingErrors.BROKEN({ reason: this.#reason });
        return;
      } else await this.#change();
    }
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve));
  }

  #notify(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}
