/** The site's MQTT broker: aedes behind listeners, rights and limits, with a memory that lasts. */
import type { Clock, Logger } from '@skerry/base';
import { Aedes, type AedesPublishPacket, type Client } from 'aedes';
import { isSpoilt, problemOfFilter, problemOfTopic } from '../../mqtt/topics.ts';
import { boundPackets, deliver, grantedQos } from './aedes-inside.ts';
import type { BrokerConfig, BrokerReport, RejectedPeer } from './config.ts';
import { Doorkeeper, type Guest } from './doorkeeper.ts';
import { openJournal } from './journal.ts';
import { type Arrival, listen, type OpenListener } from './listener.ts';
import { BrokerPersistence } from './persistence.ts';
import type { StoredPacket } from './stored-packet.ts';

export interface SiteBrokerOptions {
  readonly config: BrokerConfig;
  /** Where it keeps what it keeps; without it everything is forgotten with the process. */
  readonly file?: string;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface SiteBroker {
  report(): BrokerReport;
  /**
   * Users, their rights and passwords: whoever may not do any more what they did is cut off. Certificates: whoever comes
   * sees the new ones. Throws when a certificate is none, and then nothing has changed for users.
   */
  configure(config: BrokerConfig): void;
  /** Hears of every message that the filter matches, in this thread; the returned function ends it. */
  tap(filter: string, onMessage: (topic: string, payload: Uint8Array) => void): () => void;
  /** Resolves once it is kept and given to everybody. */
  publish(message: OwnMessage): Promise<void>;
  retained(filter: string): readonly { readonly topic: string; readonly payload: Uint8Array }[];
  /** Settles when it can serve no more, with the reason; undefined after `close`. Never rejects. */
  readonly ended: Promise<Error | undefined>;
  close(): Promise<void>;
}

export interface OwnMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: 0 | 1 | 2;
  readonly isRetained: boolean;
}

const CONNECT_MS = 10_000;
/** A client that reads nothing for so long is cut off. */
const DRAIN_MS = 10_000;
/** A client may run ahead of its rate by so much. */
const BURST_MS = 1000;

/** Rejects when a listener cannot be opened. */
export async function openSiteBroker(options: SiteBrokerOptions): Promise<SiteBroker> {
  const broker = new EmbeddedBroker(options);
  try {
    await broker.open();
  } catch (error) {
    await broker.close();
    throw error;
  }
  return broker;
}

class EmbeddedBroker implements SiteBroker {
  readonly #options: SiteBrokerOptions;
  readonly #persistence: BrokerPersistence;
  readonly #aedes: Aedes;
  readonly #listeners = new Map<string, OpenListener>();
  readonly #door: Doorkeeper;
  readonly #ended = Promise.withResolvers<Error | undefined>();
  #closing: Promise<void> | undefined;
  #messages = 0;
  #dropped = 0;

  constructor(options: SiteBrokerOptions) {
    this.#options = options;
    const { users, isAnonymousAllowed, limits } = options.config;
    const ownerOf = (client: string) => this.#persistence.ownerOf(client);
    const claim = (client: string, user: string) => this.#persistence.claim(client, user);
    this.#door = new Doorkeeper({ ...options, users, isAnonymousAllowed, ownerOf, claim });
    const journal = openJournal(options.file ?? ':memory:');
    void journal.failed.then((error) => this.#ended.resolve(error));
    this.#persistence = new BrokerPersistence({
      journal,
      maxBytes: limits.keptBytes,
      maxQueuedPerClient: limits.queuedMessagesPerClient,
      onDropped: () => this.#dropped++,
      // Aedes keeps all filters of a packet when it grants one of them.
      mayKeep: (client, filter) => this.#door.guestNamed(client)?.subscriptions.has(filter) ?? true,
      userOf: (client) => this.#door.userOf(client),
    });
    this.#aedes = new Aedes({
      persistence: this.#persistence,
      connectTimeout: CONNECT_MS,
      drainTimeout: DRAIN_MS,
      maxInflightInbound: limits.inflightPerClient,
      ...(limits.keepaliveSeconds === undefined ? {} : { keepaliveLimit: limits.keepaliveSeconds }),
      preConnect: (client, packet, done) => done(null, this.#door.meets(client, packet.clientId, packet.clean ?? true)),
      authenticate: (client, name, password, done) =>
        void this.#door.authenticate(client, name, password).then(...settle(done)),
      authorizePublish: (client, packet, done) => this.#takeIn(client, packet as StoredPacket, done),
      authorizeSubscribe: (client, subscription, done) =>
        done(null, this.#maySubscribe(client, subscription.topic) ? subscription : null),
      authorizeForward: (client, packet) => this.#forward(client, packet),
    });
    this.#follow(this.#aedes);
  }

  get ended(): Promise<Error | undefined> {
    return this.#ended.promise;
  }

  async open(): Promise<void> {
    await this.#aedes.listen();
    for (const listener of this.#options.config.listeners) {
      const onRejected = (peer: Omit<RejectedPeer, 'seenAt'>) => this.#door.reject(peer);
      const opened = await listen(listener, { onArrival: (arrival) => this.#welcome(arrival), onRejected });
      this.#listeners.set(listener.name, opened);
    }
  }

  report(): BrokerReport {
    return {
      endpoints: [...this.#listeners.values()].map(({ endpoint }) => endpoint),
      clients: this.#door.clients,
      messages: this.#messages,
      dropped: this.#dropped,
      refused: this.#door.refused,
      loginsTurnedAway: this.#door.loginsTurnedAway,
      rejected: this.#door.rejected,
    };
  }

  configure({ listeners, users, isAnonymousAllowed }: BrokerConfig): void {
    for (const { name, tls } of listeners) if (tls !== undefined) this.#listeners.get(name)?.renew(tls);
    this.#door.configure(users, isAnonymousAllowed);
  }

  tap(filter: string, onMessage: (topic: string, payload: Uint8Array) => void): () => void {
    const isWild = /^[+#]/.test(filter);
    const hear = ({ topic, payload }: AedesPublishPacket, done: () => void) => {
      if (!(isWild && topic.startsWith('$'))) onMessage(topic, payload as Uint8Array);
      done();
    };
    this.#aedes.subscribe(filter, hear, () => {});
    return () => this.#aedes.unsubscribe(filter, hear, () => {});
  }

  async publish({ topic, payload, qos, isRetained }: OwnMessage): Promise<void> {
    const packet = {
      cmd: 'publish' as const,
      topic,
      payload: Buffer.from(payload),
      qos,
      retain: isRetained,
      dup: false,
    };
    await this.#persistence.accept(packet);
    await new Promise<void>((resolve, reject) => {
      this.#aedes.publish(packet, (error) => (error instanceof Error ? reject(error) : resolve()));
    });
  }

  retained(filter: string): readonly { readonly topic: string; readonly payload: Uint8Array }[] {
    return this.#persistence
      .retainedOf(filter)
      .map(({ topic = '', payload = '' }) => ({ topic, payload: Buffer.from(payload as Uint8Array) }));
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#listeners.values()].map((listener) => listener.close()));
    await new Promise<void>((resolve) => this.#aedes.close(() => resolve()));
    await this.#persistence.settled();
    await this.#persistence.destroy();
    this.#ended.resolve(undefined);
  }

  // ——— clients come and go ———

  #welcome({ socket, name }: Arrival): void {
    const { clients, messageBytes } = this.#options.config.limits;
    if (this.#door.size >= clients) {
      this.#door.refuse();
      socket.destroy();
      return;
    }
    const client = this.#aedes.handle(socket);
    this.#door.welcome(client, socket, name);
    boundPackets(client, messageBytes, (reason) => this.#door.cut(client, reason));
  }

  #follow(aedes: Aedes): void {
    aedes.on('client', (client) => this.#door.isIn(client));
    aedes.on('clientReady', (client) => this.#catchUp(client));
    aedes.on('clientDisconnect', (client) => this.#door.left(client));
    aedes.on('unsubscribe', (filters, client) => {
      for (const filter of filters) this.#door.guestOf(client)?.subscriptions.delete(filter);
    });
    aedes.on('publish', (_, client) => {
      if (client !== null) this.#messages++;
    });
    const onError = (client: Client, error: Error) =>
      this.#options.log.debug({ client: client.id, error: error.message }, 'client cut off');
    aedes.on('clientError', onError);
    aedes.on('connectionError', onError);
    // What the memory could not keep: nothing that is acknowledged after it could be trusted.
    (aedes as unknown as { on(event: 'error', listener: (error: Error) => void): void }).on('error', (error) =>
      this.#ended.resolve(error),
    );
  }

  // ——— messages ———

  /** Invariant: a message of quality 1 is acknowledged after this, so what must last of it is on disk before. */
  #takeIn(client: Client | null, packet: StoredPacket, done: (error?: Error) => void): void {
    const guest = client === null ? undefined : this.#door.guestOf(client);
    const { topic = '', payload = '', qos = 0 } = packet;
    const problem = client === null ? undefined : this.#problemOf(guest, topic, payload.length);
    if (problem !== undefined) {
      this.#door.refuse();
      done(new Error(problem));
      return;
    }
    const kept = qos === 1 ? (this.#persistence.accept(packet) ?? this.#persistence.settled()) : undefined;
    const pause = guest === undefined ? 0 : this.#pauseOf(guest);
    if (kept === undefined && pause === 0) done();
    else void Promise.all([kept, pause > 0 ? this.#options.clock.sleep(pause) : undefined]).then(...settle(done));
  }

  #problemOf(guest: Guest | undefined, topic: string, bytes: number): string | undefined {
    if (bytes > this.#options.config.limits.messageBytes) return 'the message is too large';
    if (problemOfTopic(topic) !== undefined || isSpoilt(topic)) return 'the topic is none';
    return guest?.grant?.mayPublish(topic) === true ? undefined : `it may not publish to ${topic}`;
  }

  /** Nothing, as long as the client keeps its rate. */
  #pauseOf(guest: Guest): number {
    const { messagesPerSecondPerClient: rate } = this.#options.config.limits;
    if (rate === undefined) return 0;
    const now = this.#options.clock.monotonic();
    guest.nextAt = Math.max(guest.nextAt, now - BURST_MS) + 1000 / rate;
    return Math.max(0, guest.nextAt - now);
  }

  #maySubscribe(client: Client, filter: string): boolean {
    const guest = this.#door.guestOf(client);
    const { subscriptionsPerClient, clients } = this.#options.config.limits;
    if (guest?.grant === undefined || problemOfFilter(filter) !== undefined || isSpoilt(filter)) return false;
    const isMore = !guest.subscriptions.has(filter) && guest.subscriptions.size >= subscriptionsPerClient;
    const isNewSession = !client.clean && !this.#persistence.hasSession(client.id);
    if (isMore || (isNewSession && this.#persistence.sessions >= clients) || !guest.grant.maySubscribe(filter)) {
      this.#door.refuse();
      return false;
    }
    guest.subscriptions.add(filter);
    return true;
  }

  /** Invariant: no message overtakes what waited for the client before it, and none comes twice. */
  #catchUp(client: Client): void {
    const guest = this.#door.guestOf(client);
    const waiting = guest?.waiting ?? [];
    if (guest !== undefined) guest.waiting = undefined;
    for (const packet of waiting) {
      if (this.#persistence.isUnsent(client, packet as StoredPacket)) deliver(client, packet);
    }
  }

  #forward(client: Client, packet: AedesPublishPacket): AedesPublishPacket | null {
    const guest = this.#door.guestOf(client);
    if (guest?.grant?.mayReceive(packet.topic) !== true) return null;
    // What had waited has its number already.
    if (guest.waiting !== undefined && packet.qos > 0 && packet.messageId === undefined) {
      guest.waiting.push(packet);
      return null;
    }
    if (guest.socket.writableNeedDrain) {
      this.#dropped++;
      // What must arrive is kept for it until it comes again; the rest it has missed.
      if (packet.qos > 0) this.#door.cut(client, 'it reads too slowly');
      return null;
    }
    if ((packet as StoredPacket).properties?.isSent === true) packet.dup = true;
    if (packet.qos === 2) packet.qos = grantedQos(client, packet.topic);
    return packet;
  }
}

type Done = (error: never, success: boolean) => void;

/** Callbacks for `then`. */
function settle(done: Done | ((error?: Error) => void)): [() => void, (error: unknown) => void] {
  const call = done as (error: unknown, success: boolean) => void;
  return [() => call(null, true), (error) => call(error, false)];
}
