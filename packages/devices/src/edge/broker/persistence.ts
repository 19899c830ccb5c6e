/** The broker's memory of sessions, queues and retained messages: in memory to be asked, in the journal to last. */
import { Readable } from 'node:stream';
import { TopicTrie } from '../../mqtt/topics.ts';
import type { Entry, Journal } from './journal.ts';
import {
  isEmpty,
  type KeptSession,
  newSession,
  type Queued,
  type Standing,
  type Subscription,
} from './kept-session.ts';
import { type Budget, RetainedMessages } from './retained.ts';
import { SessionOwners } from './session-owners.ts';
import { isTaken, nameOf, type StoredPacket, sentAs, sizeOf, storedCopy, UNNAMED } from './stored-packet.ts';

export interface PersistenceOptions {
  readonly journal: Journal;
  /** Of queued and retained messages. */
  readonly maxBytes: number;
  readonly maxQueuedPerClient: number;
  /** Whether a client's subscription is to last. */
  readonly mayKeep?: (client: string, filter: string) => boolean;
  /** Who a client is. */
  readonly userOf?: (client: object) => string | undefined;
  /** A message is not kept because a bound was met. */
  readonly onDropped?: () => void;
}

interface Identified {
  readonly id: string;
}

export class BrokerPersistence {
  readonly #options: PersistenceOptions;
  readonly #journal: Journal;
  readonly #budget: Budget;
  readonly #clients = new Map<string, KeptSession>();
  readonly #owners = new SessionOwners();
  readonly #trie = new TopicTrie<Standing>();
  readonly #retained: RetainedMessages;
  readonly #wills = new Map<string, StoredPacket>();
  #standing = 0;
  #next = 0;
  #broker: { readonly id: string; counter: number } | undefined;

  constructor(options: PersistenceOptions) {
    this.#options = options;
    this.#journal = options.journal;
    this.#budget = { limit: options.maxBytes, used: 0 };
    this.#retained = new RetainedMessages(this.#budget, () => options.onDropped?.());
  }

  get broker(): { readonly id: string; counter: number } | undefined {
    return this.#broker;
  }

  /** Clients of which a session is kept. */
  get sessions(): number {
    return this.#clients.size;
  }

  hasSession(client: string): boolean {
    return this.#clients.has(client);
  }

  /** The user whose the session is. */
  ownerOf(client: string): string | undefined {
    return this.#owners.of(client);
  }

  /** Whoever was let in with this client id has its session, where one is kept. */
  async claim(client: string, user: string): Promise<void> {
    if (this.hasSession(client)) await this.#journal.write(this.#owners.claim(client, user));
  }

  async setup(broker: { readonly id: string; counter: number }): Promise<void> {
    this.#broker = broker;
    const { retained, subscriptions, owners, queued, received, wills } = this.#journal.recover();
    for (const { topic, packet } of retained) {
      this.#next = Math.max(this.#next, (packet.properties?.kept ?? 0) + 1);
      this.#retained.restore(topic, packet);
    }
    for (const { client, topic, subscription } of subscriptions)
      this.#subscribe(client, { ...(subscription as Subscription), topic });
    for (const { client, user } of owners) this.#owners.restore(client, user);
    for (const { client, at, packet } of queued) {
      this.#next = Math.max(this.#next, at + 1);
      this.#queue(this.#keptOf(client), { at, packet, size: sizeOf(packet) });
    }
    for (const { client, id, packet } of received) this.#keptOf(client).received.set(id, packet);
    for (const { client, packet } of wills) this.#wills.set(client, packet);
  }

  /** Everything that was taken in so far is on disk; undefined when it is already. */
  settled(): Promise<void> | undefined {
    return this.#journal.settled();
  }

  /**
   * Takes a message in as whole as it will be: retained, and queued for every client that comes back. What the broker asks
   * for later finds it done. Undefined when nothing of it has to last.
   */
  accept(packet: StoredPacket): Promise<void> | undefined {
    const entries = this.#take(packet);
    return entries.length === 0 ? undefined : this.#journal.write(entries);
  }

  // ——— retained messages ———

  async storeRetained(packet: StoredPacket): Promise<void> {
    if (isTaken(packet)) return;
    await this.#journal.write(this.#retained.keep(packet));
  }

  createRetainedStream(pattern: string): Readable {
    return this.createRetainedStreamCombi([pattern]);
  }

  createRetainedStreamCombi(patterns: readonly string[]): Readable {
    return Readable.from(patterns.flatMap((pattern) => this.retainedOf(pattern)));
  }

  /** Retained messages that the filter matches. */
  retainedOf(filter: string): readonly StoredPacket[] {
    return this.#retained.matching(filter);
  }

  // ——— subscriptions ———

  async addSubscriptions(client: Identified, subscriptions: readonly Subscription[]): Promise<Identified> {
    const { mayKeep = () => true } = this.#options;
    const kept = subscriptions.filter(({ topic }) => mayKeep(client.id, topic));
    const entries = kept.map((each): Entry => {
      const record = this.#subscribe(client.id, each);
      return { do: 'subscribe', client: client.id, topic: each.topic, subscription: record };
    });
    await this.#journal.write(entries.length === 0 ? [] : [...this.#begin(client), ...entries]);
    return client;
  }

  async removeSubscriptions(client: Identified, topics: readonly string[]): Promise<Identified> {
    const entries = topics.map((topic): Entry => {
      this.#unsubscribe(client.id, topic);
      return { do: 'unsubscribe', client: client.id, topic };
    });
    await this.#journal.write([...entries, ...this.#forgetIfEmpty(client.id)]);
    return client;
  }

  async subscriptionsByClient(client: Identified): Promise<readonly object[]> {
    const kept = this.#clients.get(client.id)?.subscriptions ?? new Map<string, { readonly record: object }>();
    return [...kept].map(([topic, { record }]) => ({ topic, ...record }));
  }

  async subscriptionsByTopic(topic: string): Promise<readonly Standing[]> {
    return this.#trie.match(topic);
  }

  async countOffline(): Promise<{ subsCount: number; clientsCount: number }> {
    const withSubscriptions = [...this.#clients.values()].filter(({ subscriptions }) => subscriptions.size > 0);
    return { subsCount: this.#standing, clientsCount: withSubscriptions.length };
  }

  getClientList(topic: string): Readable {
    return Readable.from(
      [...this.#clients].filter(([, { subscriptions }]) => subscriptions.has(topic)).map(([id]) => id),
    );
  }

  /** The session begins anew: nothing of the one before is left. */
  async cleanSubscriptions(client: Identified): Promise<Identified> {
    const kept = this.#clients.get(client.id);
    if (kept === undefined) return client;
    const topics = [...kept.subscriptions.keys()];
    for (const topic of topics) this.#unsubscribe(client.id, topic);
    const queued = [...kept.queue.values()];
    for (const each of queued) this.#budget.used -= each.size;
    kept.queue.clear();
    kept.sent.clear();
    const ended = this.#forgetIfEmpty(client.id);
    await this.#journal.write([
      ...ended,
      ...topics.map((topic): Entry => ({ do: 'unsubscribe', client: client.id, topic })),
      ...queued.map(({ at }): Entry => ({ do: 'dequeue', client: client.id, at })),
    ]);
    return client;
  }

  // ——— messages on their way to clients ———

  outgoingEnqueue({ clientId }: { readonly clientId: string }, packet: StoredPacket): Promise<void> {
    return this.outgoingEnqueueCombi([{ clientId }], packet);
  }

  async outgoingEnqueueCombi(
    clients: readonly { readonly clientId: string; readonly qos?: number }[],
    packet: StoredPacket,
  ): Promise<void> {
    if (isTaken(packet)) return;
    await this.#journal.write(clients.flatMap(({ clientId, qos = 2 }) => this.#enqueue(clientId, packet, qos)));
  }

  /** Its number on the wire, or that the client has received it and waits for the release. */
  async outgoingUpdate(client: Identified, packet: StoredPacket): Promise<void> {
    const kept = this.#clients.get(client.id);
    const key = nameOf(packet);
    const id = packet.messageId;
    const bySent = id === undefined ? undefined : kept?.sent.get(id);
    const found = kept?.queue.get(kept.queue.has(key) || bySent === undefined ? key : bySent);
    // What was not kept because the queue was full goes out all the same, once.
    if (kept === undefined || found === undefined) return;
    found.packet = kept.queue.has(key) ? sentAs(found.packet, id) : { ...packet };
    if (id !== undefined) kept.sent.set(id, kept.queue.has(key) ? key : (bySent ?? key));
    await this.#journal.write([{ do: 'enqueue', client: client.id, at: found.at, packet: found.packet }]);
  }

  async outgoingClearMessageId(client: Identified, packet: StoredPacket): Promise<StoredPacket | undefined> {
    const kept = this.#clients.get(client.id);
    const id = packet.messageId;
    const key = id === undefined ? undefined : kept?.sent.get(id);
    const found = key === undefined ? undefined : kept?.queue.get(key);
    if (kept === undefined || id === undefined || key === undefined || found === undefined) return undefined;
    kept.queue.delete(key);
    kept.sent.delete(id);
    this.#budget.used -= found.size;
    await this.#journal.write([{ do: 'dequeue', client: client.id, at: found.at }, ...this.#forgetIfEmpty(client.id)]);
    return found.packet;
  }

  /** It waits for the client, and has not been on its way to it. */
  isUnsent(client: Identified, packet: StoredPacket): boolean {
    const found = this.#clients.get(client.id)?.queue.get(nameOf(packet));
    return found !== undefined && found.packet.messageId === undefined;
  }

  outgoingStream(client: Identified): Readable {
    const queued = this.#clients.get(client.id)?.queue.values() ?? [];
    return Readable.from([...queued].map(({ packet }) => ({ ...packet })));
  }

  // ——— messages of quality 2 on their way in ———

  /** Invariant: the message and everything that it leads to become durable together, or a crash would lose it between the two. */
  async incomingStorePacket(client: Identified, packet: StoredPacket): Promise<void> {
    const { messageId } = packet;
    if (messageId === undefined) throw new Error('a packet without an id');
    const entries = this.#take(packet);
    const stored = { ...storedCopy(packet), messageId };
    this.#keptOf(client.id).received.set(messageId, stored);
    // To be known again is enough: the message itself is where it belongs.
    const known = { ...stored, payload: Buffer.alloc(0) };
    const received: Entry = { do: 'receive', client: client.id, id: messageId, packet: known };
    await this.#journal.write([...this.#begin(client), ...entries, received]);
  }

  async incomingGetPacket(client: Identified, { messageId }: StoredPacket): Promise<StoredPacket> {
    const packet = this.#clients.get(client.id)?.received.get(messageId ?? -1);
    if (packet === undefined) throw new Error('no such packet');
    return packet;
  }

  async incomingDelPacket(client: Identified, { messageId = -1 }: StoredPacket): Promise<void> {
    if (this.#clients.get(client.id)?.received.delete(messageId) !== true) throw new Error('no such packet');
    await this.#journal.write([{ do: 'release', client: client.id, id: messageId }, ...this.#forgetIfEmpty(client.id)]);
  }

  async cleanIncoming(client: Identified): Promise<void> {
    const received = this.#clients.get(client.id)?.received;
    if (received === undefined || received.size === 0) return;
    received.clear();
    await this.#journal.write([{ do: 'release all', client: client.id }, ...this.#forgetIfEmpty(client.id)]);
  }

  // ——— wills ———

  async putWill(
    client: Identified,
    packet: StoredPacket & { brokerId?: string; clientId?: string },
  ): Promise<Identified> {
    packet.brokerId = this.#broker?.id ?? '';
    packet.clientId = client.id;
    this.#wills.set(client.id, packet);
    await this.#journal.write([{ do: 'will', client: client.id, packet: { ...packet } }]);
    return client;
  }

  async getWill(client: Identified): Promise<StoredPacket | undefined> {
    return this.#wills.get(client.id);
  }

  async delWill(client: Identified): Promise<StoredPacket | undefined> {
    const will = this.#wills.get(client.id);
    if (will === undefined) return undefined;
    this.#wills.delete(client.id);
    await this.#journal.write([{ do: 'will', client: client.id, packet: undefined }]);
    return will;
  }

  streamWill(brokers: Readonly<Record<string, unknown>> = {}): Readable {
    return Readable.from([...this.#wills.values()].filter(({ brokerId = '' }) => !brokers[brokerId]));
  }

  async destroy(): Promise<void> {
    this.#journal.close();
  }

  // ——— what all of them do ———

  #take(packet: StoredPacket): readonly Entry[] {
    const { topic = '', qos = 0, retain = false } = packet;
    const clients = qos > 0 ? this.#trie.match(topic) : [];
    if (!retain && clients.length === 0) return [];
    // Numbered now, so that it is known again when the broker comes to the same steps.
    packet.properties = { kept: this.#next++ };
    const retained = retain ? this.#retained.keep(packet) : [];
    return [...retained, ...clients.flatMap(({ clientId, qos: granted }) => this.#enqueue(clientId, packet, granted))];
  }

  #subscribe(client: string, { topic, qos, rh, rap, nl, subscriptionIdentifier }: Subscription): object {
    const facts = {
      qos,
      ...(rh === undefined ? {} : { rh }),
      ...(rap === undefined ? {} : { rap }),
      ...(nl === undefined ? {} : { nl }),
    };
    const record = { ...facts, ...(subscriptionIdentifier === undefined ? {} : { subscriptionIdentifier }) };
    this.#unsubscribe(client, topic);
    const standing = qos > 0 ? { clientId: client, topic, ...facts } : undefined;
    if (standing !== undefined) {
      this.#trie.add(topic, standing);
      this.#standing++;
    }
    this.#keptOf(client).subscriptions.set(topic, { record, standing });
    return record;
  }

  #unsubscribe(client: string, topic: string): void {
    const subscriptions = this.#clients.get(client)?.subscriptions;
    const standing = subscriptions?.get(topic)?.standing;
    if (standing !== undefined) {
      this.#trie.remove(topic, standing);
      this.#standing--;
    }
    subscriptions?.delete(topic);
  }

  /** With the quality that the subscription was granted, if that is less. */
  #enqueue(client: string, packet: StoredPacket, granted: number): readonly Entry[] {
    const kept = this.#keptOf(client);
    if (kept.queue.has(nameOf(packet))) return [];
    const qos = Math.min(packet.qos ?? 0, granted);
    const queued = { at: this.#next++, packet: { ...storedCopy(packet), qos }, size: sizeOf(packet) };
    if (kept.queue.size >= this.#options.maxQueuedPerClient || this.#budget.used + queued.size > this.#budget.limit) {
      this.#options.onDropped?.();
      return [];
    }
    this.#queue(kept, queued);
    return [{ do: 'enqueue', client, at: queued.at, packet: queued.packet }];
  }

  #queue(kept: KeptSession, queued: Queued): void {
    const name = nameOf(queued.packet);
    // A release has no name of its own.
    const key = name === UNNAMED ? `at ${queued.at}` : name;
    kept.queue.set(key, queued);
    this.#budget.used += queued.size;
    const id = queued.packet.messageId;
    if (id !== undefined) kept.sent.set(id, key);
  }

  #keptOf(client: string): KeptSession {
    const known = this.#clients.get(client);
    if (known !== undefined) return known;
    const made = newSession();
    this.#clients.set(client, made);
    return made;
  }

  #begin(client: Identified): readonly Entry[] {
    return this.#owners.begin(client.id, this.#options.userOf?.(client));
  }

  #forgetIfEmpty(client: string): readonly Entry[] {
    const kept = this.#clients.get(client);
    if (kept === undefined || !isEmpty(kept)) return [];
    this.#clients.delete(client);
    return this.#owners.end(client);
  }
}
