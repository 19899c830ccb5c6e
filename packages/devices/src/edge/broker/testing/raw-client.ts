/** For tests: a client that sends exactly what it is told, also what no client would. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { generate, type IConnectPacket, type Packet, parser } from 'mqtt-packet';

/** Far more than any answer takes, also on a machine that has other things to do. */
const PATIENCE_MS = 30_000;

export class RawClient implements AsyncDisposable {
  readonly #socket: Socket;
  readonly #packets: Packet[] = [];
  readonly #closed: Promise<void>;
  #wake: () => void = () => {};
  #isClosed = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    const reading = parser();
    reading.on('packet', (packet: Packet) => {
      this.#packets.push(packet);
      this.#wake();
    });
    socket.on('data', (bytes) => reading.parse(bytes as Buffer));
    socket.on('error', () => {});
    this.#closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.#isClosed = true;
        this.#wake();
        resolve();
      });
    });
  }

  static async open(port: number): Promise<RawClient> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return new RawClient(socket);
  }

  /** Opened, and taken in by the broker. */
  static async connect(port: number, packet: Partial<IConnectPacket> = {}): Promise<RawClient> {
    const client = await RawClient.open(port);
    client.sendConnect(packet);
    const connack = await client.receive('connack');
    if (connack['returnCode'] !== 0) throw new Error(`refused with code ${String(connack['returnCode'])}`);
    return client;
  }

  sendConnect(packet: Partial<IConnectPacket> = {}): void {
    this.send({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: 4,
      clean: true,
      clientId: `raw-${Math.random().toString(36).slice(2)}`,
      keepalive: 60,
      ...packet,
    });
  }

  send(packet: Packet): void {
    this.sendBytes(generate(packet));
  }

  sendBytes(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** The next packet of the kind; others that come before it are passed over. */
  async receive(cmd: Packet['cmd']): Promise<Readonly<Record<string, unknown>>> {
    return this.#within(`a ${cmd}`, async () => {
      for (;;) {
        const packet = await this.next();
        if (packet.cmd === cmd) return packet as unknown as Readonly<Record<string, unknown>>;
      }
    });
  }

  /** The next publish, as text. */
  async message(): Promise<{ topic: string; text: string; qos: number; retain: boolean; dup: boolean; id: number }> {
    const { topic, payload, qos, retain, dup, messageId } = await this.receive('publish');
    return {
      topic: String(topic),
      text: String(payload),
      qos: Number(qos),
      retain: retain === true,
      dup: dup === true,
      id: Number(messageId ?? 0),
    };
  }

  async next(): Promise<Packet> {
    for (;;) {
      const packet = this.#packets.shift();
      if (packet !== undefined) return packet;
      if (this.#isClosed) throw new Error('the broker has closed the connection');
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async subscribe(topic: string, qos: 0 | 1 | 2 = 0): Promise<readonly number[]> {
    this.send({ cmd: 'subscribe', messageId: 9, subscriptions: [{ topic, qos }] });
    return (await this.receive('suback'))['granted'] as readonly number[];
  }

  /** Resolves once the broker has answered a later question: whatever it had to say before is here. */
  async flushed(): Promise<readonly Packet[]> {
    this.send({ cmd: 'pingreq' });
    const before: Packet[] = [];
    return this.#within('a pingresp', async () => {
      for (;;) {
        const packet = await this.next();
        if (packet.cmd === 'pingresp') return before;
        before.push(packet);
      }
    });
  }

  /** Resolves once the broker has closed the connection. */
  async closed(): Promise<void> {
    await this.#within('the end of the connection', () => this.#closed);
  }

  /** Without a word. */
  async cut(): Promise<void> {
    this.#socket.destroy();
    await this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cut();
  }

  async #within<T>(what: string, work: () => Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`waited in vain for ${what}`)), PATIENCE_MS);
    });
    try {
      return await Promise.race([work(), late]);
    } finally {
      clearTimeout(timer);
    }
  }
}
