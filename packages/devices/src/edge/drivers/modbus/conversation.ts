/** Requests to one device: asked again where that is harmless, exceptions in words, given up when nobody wants them. */
import { EXCEPTION_BIT, exceptionText } from '../../../modbus/functions.ts';
import { AnswerError, type ModbusRequest } from '../../../modbus/requests.ts';
import { DriverError, type DriverErrorKind, isDriverError } from '../../driver-error.ts';
import type { Bus } from './bus.ts';
import type { SilentUnits } from './silent-units.ts';

export interface ConversationOptions {
  readonly bus: Bus;
  readonly silent: SilentUnits;
  readonly timeoutMs: number;
  readonly retries: number;
}

export class Conversation {
  readonly #options: ConversationOptions;
  readonly #running = new Set<object>();
  #closed: DriverError | undefined;

  constructor(options: ConversationOptions) {
    this.#options = options;
  }

  /** Runs `work`, whose requests end when the signal aborts or the conversation is closed. */
  async run<Result>(signal: AbortSignal, work: (owner: object) => Promise<Result>): Promise<Result> {
    if (this.#closed !== undefined) throw this.#closed;
    if (signal.aborted) throw new DriverError('Closed', 'the request was given up');
    const owner = {};
    const giveUp = () => this.#options.bus.cancel(owner, new DriverError('Closed', 'the request was given up'));
    signal.addEventListener('abort', giveUp, { once: true });
    this.#running.add(owner);
    try {
      return await work(owner);
    } finally {
      this.#running.delete(owner);
      signal.removeEventListener('abort', giveUp);
    }
  }

  /** The result of the request. Rejects with a DriverError. */
  async ask<Result>(owner: object, unit: number, request: ModbusRequest<Result>): Promise<Result> {
    const answer = await this.#answer(owner, unit, request);
    const [code = 0, exception = 0] = answer;
    if ((code & EXCEPTION_BIT) !== 0)
      throw new DriverError(EXCEPTION_KINDS[exception] ?? 'Rejected', exceptionText(exception));
    try {
      return request.result(answer);
    } catch (cause) {
      if (cause instanceof AnswerError) throw new DriverError('Malformed', cause.message, { cause });
      throw cause;
    }
  }

  /** Resolves with whatever the unit answers to a request that changes nothing. */
  hear(owner: object, unit: number, pdu: Uint8Array): Promise<Uint8Array> {
    return this.#answer(owner, unit, { pdu, isReading: true });
  }

  close(error: DriverError): void {
    this.#closed ??= error;
    for (const owner of this.#running) this.#options.bus.cancel(owner, this.#closed);
  }

  /** Only what changes nothing is asked again: an answer that was lost does not say that the request was. */
  async #answer(
    owner: object,
    unit: number,
    { pdu, isReading }: Pick<ModbusRequest<unknown>, 'pdu' | 'isReading'>,
  ): Promise<Uint8Array> {
    const { bus, silent, timeoutMs, retries } = this.#options;
    const attempts = isReading ? retries + 1 : 1;
    for (let attempt = 1; ; attempt++) {
      try {
        const answer = await bus.exchange({ unit, pdu, timeoutMs, owner });
        silent.heard(unit);
        return answer;
      } catch (error) {
        if (isReading && isDriverError(error, 'TimedOut')) silent.missed(unit, pdu);
        if (attempt >= attempts || !this.#running.has(owner) || !isDriverError(error, 'TimedOut', 'Malformed'))
          throw error;
      }
    }
  }
}

const EXCEPTION_KINDS: Readonly<Record<number, DriverErrorKind>> = {
  1: 'Unsupported',
  2: 'NotFound',
  3: 'Rejected',
  4: 'Rejected',
  5: 'Busy',
  6: 'Busy',
  10: 'TimedOut',
  11: 'TimedOut',
};
