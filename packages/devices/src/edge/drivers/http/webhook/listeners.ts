/** Listeners that devices share: opened for the first one of an address, closed with the last. */
import type { Clock } from '@skerry/base';
import { DriverError } from '../../../driver-error.ts';
import { openWebhookListener, type Route, type WebhookListener, type WebhookTls } from './listener.ts';

export interface WebhookListeners {
  /** Rejects with a DriverError: the address is taken, or another device has the path, or wants another kind of security. */
  join(wish: Wish): Promise<Membership>;
}

export interface Wish {
  readonly address: string;
  readonly port: number;
  readonly tls: WebhookTls | undefined;
  readonly route: Route;
}

export interface Membership {
  /** Where it really is. */
  readonly port: number;
  readonly ended: Promise<DriverError | undefined>;
  /** Nothing is delivered after this. */
  leave(): Promise<void>;
}

export function createListeners(clock: Clock): WebhookListeners {
  return new Listeners(clock);
}

class Listeners implements WebhookListeners {
  readonly #clock: Clock;
  readonly #opened = new Map<string, Promise<WebhookListener>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async join(wish: Wish): Promise<Membership> {
    const { address, port, tls, route } = wish;
    // Port 0 is another one each time: nobody else can mean the same.
    const key = port === 0 ? `${address} for ${route.device}` : `${address} ${port}`;
    const opening = this.#opened.get(key) ?? openWebhookListener({ address, port, tls, clock: this.#clock });
    this.#opened.set(key, opening);
    const listener = await this.#settled(key, opening);
    // The last one may have left while we came.
    if (this.#opened.get(key) !== opening) return this.join(wish);
    try {
      listener.secure(tls);
      listener.add(route);
    } catch (error) {
      await this.#closeIfIdle(key, listener);
      throw error instanceof DriverError
        ? error
        : new DriverError('Misconfigured', (error as Error).message, { cause: error });
    }
    return {
      port: listener.port,
      ended: listener.ended,
      leave: () => {
        listener.remove(route);
        return this.#closeIfIdle(key, listener);
      },
    };
  }

  async #settled(key: string, opening: Promise<WebhookListener>): Promise<WebhookListener> {
    try {
      return await opening;
    } catch (error) {
      if (this.#opened.get(key) === opening) this.#opened.delete(key);
      throw error;
    }
  }

  async #closeIfIdle(key: string, listener: WebhookListener): Promise<void> {
    if (!listener.isIdle) return;
    this.#opened.delete(key);
    await listener.close();
  }
}
