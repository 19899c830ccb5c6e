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
    ...(qos > 0 || cmd !== 'publish' ? { messageId: undefined } : {}),
  };
}

/** About so much memory and disk it takes. */
export function sizeOf({ topic = '', payload = '' }: StoredPacket): number {
  return OVERHEAD_BYTES + topic.length + payload.length;
}

const OVERHEAD_BYTES = 128;

export const UNNAMED = '/';

/** The same for every copy of a message that was taken in once. */
export function nameOf({ brokerId = '', brokerCounter }: StoredPacket): string {
  return brokerCounter === undefined ? `${brokerId}/` : `${brokerId}/${brokerCounter}`;
}
