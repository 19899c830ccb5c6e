/** A packet as the broker keeps it. */

export interface StoredPacket {
  readonly cmd?: string;
  readonly topic?: string;
  readonly payload?: Buffer | string;
  readonly qos?: number;
  readonly retain?: boolean;
  readonly dup?: boolean;
  /** Which run of the broker took it in, and as its how manieth: together they name it. */
  readonly brokerId?: string;
  readonly brokerCounter?: number;
  readonly clientId?: string;
  readonly nl?: boolean;
  readonly messageId?: number | undefined;
  /**
   * The broker carries it from copy to copy, and MQTT 3.1.1 does not send it: its number, when it is kept. `brokerCounter`
   * would not do: that one must rise in the order of delivery, and what waits for the disk is delivered late.
   */
  properties?: { readonly kept?: number; readonly isSent?: boolean };
}

/** A packet of its own, without what belongs to the connection that it came by. */
export function storedCopy(packet: StoredPacket): StoredPacket {
  const { cmd = 'publish', topic, payload, qos = 0, retain = false, dup = false, brokerId, brokerCounter } = packet;
  return {
    cmd,
    brokerId: brokerId ?? '',
    brokerCounter: brokerCounter ?? 0,
    ...(topic === undefined ? {} : { topic }),
    payload: payload ?? Buffer.alloc(0),
    qos,
    retain,
    dup,
    ...(packet.clientId === undefined ? {} : { clientId: packet.clientId }),
    ...(packet.nl === undefined ? {} : { nl: packet.nl }),
    ...(packet.properties === undefined ? {} : { properties: packet.properties }),
    ...(qos > 0 || cmd !== 'publish' ? { messageId: undefined } : {}),
  };
}

/** About so much memory and disk it takes. */
export function sizeOf({ topic = '', payload = '' }: StoredPacket): number {
  return OVERHEAD_BYTES + topic.length + payload.length;
}

const OVERHEAD_BYTES = 128;

export const UNNAMED = '';

/** The same for every copy of a message that was taken in once. */
export function nameOf({ brokerId = '', brokerCounter = 0, properties }: StoredPacket): string {
  if (properties?.kept !== undefined) return `kept ${properties.kept}`;
  return brokerCounter === 0 ? UNNAMED : `${brokerId}/${brokerCounter}`;
}

/** The message as a whole has been taken in: nothing of it is left to be kept. */
export function isTaken({ properties }: StoredPacket): boolean {
  return properties?.kept !== undefined;
}

/** Sent again, it is a duplicate. What only the broker's authors number has no number of ours. */
export function sentAs(packet: StoredPacket, messageId: number | undefined): StoredPacket {
  const { properties } = packet;
  return { ...packet, messageId, ...(properties === undefined ? {} : { properties: { ...properties, isSent: true } }) };
}
