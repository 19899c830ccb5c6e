/** What is used of aedes that it does not offer: all of it is here, and tried by the tests of this folder. */
import type { AedesPublishPacket, Client } from 'aedes';
import { TopicTrie } from '../../mqtt/topics.ts';

type Qos = 0 | 1 | 2;

interface Inside {
  /** The parser has the packet that it is reading, with the length that was announced. */
  readonly _parser: { readonly packet: { readonly length: number }; parse(bytes: Uint8Array): number };
  readonly subscriptions: Readonly<Record<string, { readonly qos: Qos }>>;
  readonly deliverQoS: (packet: object, done: () => void) => void;
}

function inside(client: Client): Inside {
  return client as unknown as Inside;
}

/** Room for the topic and what else stands around a payload. */
const ENVELOPE_BYTES = 65_540;

/** Cuts off whoever begins a packet that is too large, before it is in memory. */
export function boundPackets(client: Client, payloadBytes: number, onTooLarge: (reason: string) => void): void {
  const { _parser: parser } = inside(client);
  const parse = parser.parse.bind(parser);
  parser.parse = (bytes) => {
    const left = parse(bytes);
    if (parser.packet.length > payloadBytes + ENVELOPE_BYTES) onTooLarge('its packet is too large');
    return left;
  };
}

/** Of all subscriptions of the client that match; aedes looks only at the one that is the topic itself. */
export function grantedQos(client: Client, topic: string): Qos {
  const trie = new TopicTrie<Qos>();
  for (const [filter, { qos }] of Object.entries(inside(client).subscriptions)) trie.add(filter, qos);
  const granted = trie.match(topic);
  return granted.length === 0 ? 2 : (Math.max(...granted) as Qos);
}

/** A message that the client has been passed over with: named by no broker, it is no duplicate of itself. */
export function deliver(client: Client, packet: AedesPublishPacket): void {
  inside(client).deliverQoS({ ...packet, brokerId: '' }, () => {});
}
