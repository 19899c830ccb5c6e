/** What is kept of a client, whether it is here or not. */
import type { StoredPacket } from './stored-packet.ts';

export interface Subscription {
  readonly topic: string;
  readonly qos: number;
  readonly rh?: number;
  readonly rap?: boolean;
  readonly nl?: boolean;
  readonly subscriptionIdentifier?: number;
}

/** In the trie: one of a client that comes back. */
export interface Standing extends Omit<Subscription, 'subscriptionIdentifier'> {
  readonly clientId: string;
}

export interface Queued {
  readonly at: number;
  readonly size: number;
  packet: StoredPacket;
}

export interface KeptSession {
  readonly subscriptions: Map<string, { readonly record: object; readonly standing: Standing | undefined }>;
  /** In order, by the packet's name. */
  readonly queue: Map<string, Queued>;
  /** Message ids of queued packets that were sent. */
  readonly sent: Map<number, string>;
  readonly received: Map<number, StoredPacket>;
}

export function newSession(): KeptSession {
  return { subscriptions: new Map(), queue: new Map(), sent: new Map(), received: new Map() };
}

export function isEmpty({ subscriptions, queue, received }: KeptSession): boolean {
  return subscriptions.size + queue.size + received.size === 0;
}
