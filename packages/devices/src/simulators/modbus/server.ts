/** Units behind one address, as a gateway or a bus has them: over TCP, or over any stream of bytes in any framing. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { ByteStream } from '../../edge/transport/byte-stream.ts';
import { socketBytes } from '../../edge/transport/socket-bytes.ts';
import { FramingError, type FramingName, framingNamed } from '../../modbus/framing.ts';
import type { ModbusUnit } from './unit.ts';

/** `Silent` answers nothing, `Garbage` with bytes that are no Modbus. */
export type ModbusFault = 'None' | 'Silent' | 'Garbage';

/** More masters are not let in. */
const MAX_CONNECTIONS = 1024;
const BROADCAST = 0;

export class ModbusServer {
  readonly units: ReadonlyMap<number, ModbusUnit>;
  fault: ModbusFault = 'None';
  /** Sees each request before it is answered; what it gives back is answered in its place, nothing when that is empty. */
  intercept: ((unit: number, pdu: Uint8Array) => Uint8Array | undefined) | undefined;
  /** When each answer goes out; at once without it. */
  delay: ((send: () => void) => void) | undefined;
  readonly #streams = new Set<ByteStream>();

  constructor(units: ReadonlyMap<number, ModbusUnit>) {
    this.units = units;
  }

  /** Answers what comes on the stream, until that ends. */
  attach(stream: ByteStream, name: FramingName): void {
    const framing = framingNamed(name);
    const reader = framing.reader('requests');
    this.#streams.add(stream);
    void stream.closed.then(() => this.#streams.delete(stream));
    stream.onBytes((bytes) => {
      try {
        for (const { unit, transaction, pdu } of reader.push(bytes)) {
          const answer = this.#answer(unit, pdu, name);
          if (answer === undefined) continue;
          const bytes = this.fault === 'Garbage' ? GARBAGE : framing.encode({ unit, transaction, pdu: answer });
          if (this.delay === undefined) stream.write(bytes);
          else this.delay(() => stream.write(bytes));
        }
      } catch (error) {
        if (!(error instanceof FramingError)) throw error;
        stream.close();
      }
    });
  }

  /** Ends every connection, as a pulled plug does. */
  cut(): void {
    for (const stream of this.#streams) stream.close();
  }

  #answer(unit: number, pdu: Uint8Array, framing: FramingName): Uint8Array | undefined {
    if (this.fault === 'Silent') return undefined;
    if (unit === BROADCAST && framing !== 'TCP') {
      for (const each of this.units.values()) each.answer(pdu);
      return undefined;
    }
    const instead = this.intercept?.(unit, pdu);
    if (instead !== undefined) return instead.length === 0 ? undefined : instead;
    return this.units.get(unit)?.answer(pdu);
  }
}

/** Looks like no framing of Modbus at all. */
const GARBAGE = Uint8Array.from({ length: 24 }, (_, at) => 0xa5 ^ at);

export interface ListeningServer extends AsyncDisposable {
  readonly port: number;
}

export interface ListenOptions {
  readonly host?: string;
  readonly port?: number;
  /** RTU and ASCII: as gateways of serial lines do it. */
  readonly framing?: FramingName;
}

export async function listenModbus(
  server: ModbusServer,
  { host = '127.0.0.1', port = 0, framing = 'TCP' }: ListenOptions = {},
): Promise<ListeningServer> {
  const sockets = new Set<Socket>();
  const listener = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    server.attach(socketBytes(socket, 'the master'), framing);
  });
  listener.maxConnections = MAX_CONNECTIONS;
  await once(listener.listen(port, host), 'listening');
  return {
    port: (listener.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      const closed = once(listener, 'close');
      listener.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
