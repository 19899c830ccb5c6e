/** The last message of each topic that asked to be kept. */
import { TopicTrie } from '../../mqtt/topics.ts';
import type { Entry } from './journal.ts';
import { nameOf, type StoredPacket, sizeOf, UNNAMED } from './stored-packet.ts';

/** What the broker keeps may take so much together. */
export interface Budget {
  readonly limit: number;
  used: number;
}

export class RetainedMessages {
  readonly #budget: Budget;
  readonly #onDropped: () => void;
  readonly #byTopic = new Map<string, StoredPacket>();

  constructor(budget: Budget, onDropped: () => void) {
    this.#budget = budget;
    this.#onDropped = onDropped;
  }

  restore(topic: string, packet: StoredPacket): void {
    this.#byTopic.set(topic, packet);
    this.#budget.used += sizeOf(packet);
  }

  matching(filter: string): readonly StoredPacket[] {
    if (!/[+#]/.test(filter)) {
      const packet = this.#byTopic.get(filter);
      return packet === undefined ? [] : [packet];
    }
    const trie = new TopicTrie<true>();
    trie.add(filter, true);
    return [...this.#byTopic].filter(([topic]) => trie.match(topic).length > 0).map(([, packet]) => packet);
  }

  /** What has to be written; nothing for a message that is kept already. An empty one takes away what is there. */
  keep(packet: StoredPacket): readonly Entry[] {
    const { topic = '', payload = '' } = packet;
    const before = this.#byTopic.get(topic);
    if (before !== undefined && isSame(before, packet)) return [];
    this.#byTopic.delete(topic);
    if (before !== undefined) this.#budget.used -= sizeOf(before);
    const isTooMuch = this.#budget.used + sizeOf(packet) > this.#budget.limit;
    if (payload.length > 0 && isTooMuch) this.#onDropped();
    if (payload.length === 0 || isTooMuch)
      return before === undefined ? [] : [{ do: 'retain', topic, packet: undefined }];
    const kept = { ...packet };
    this.restore(topic, kept);
    return [{ do: 'retain', topic, packet: kept }];
  }
}

function isSame(one: StoredPacket, other: StoredPacket): boolean {
  return nameOf(one) !== UNNAMED && nameOf(one) === nameOf(other);
}
