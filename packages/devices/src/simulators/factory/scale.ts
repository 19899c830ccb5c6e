/**
 * A scale whose maker thought of a protocol of its own; examples/factory/factory.yaml describes it to the driver for frames.
 * A frame is 02, station, command, sequence, length of the body, body, exclusive or of all since the station, 03.
 */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { ListeningServer } from '../modbus/server.ts';

const [STX, ETX] = [0x02, 0x03];
const STATION = 5;
const HEADER = 5;
const TRAILER = 2;
const Command = { weight: 0x57, tare: 0x54, zero: 0x5a } as const;
/** What is added to a command in its answer. */
const ANSWER = 0x20;
const REFUSAL = 0x15;
const [UNKNOWN_COMMAND, OUT_OF_RANGE] = [1, 2];
const MAX_TARE_GRAMS = 20_000;
const PERIOD_MS = 20_000;
const LOAD_GRAMS = 12_000;

export async function listenScale(port: number): Promise<ListeningServer> {
  const scale = new Scale();
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    let rest = Buffer.alloc(0);
    socket.on('data', (bytes: Buffer) => {
      rest = scale.take(Buffer.concat([rest, bytes]), (answer) => void socket.write(answer));
    });
  });
  await once(server.listen(port, '127.0.0.1'), 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

class Scale {
  #tare = 0;
  #zero = 0;

  /** Answers every whole frame, and gives back what is not whole yet. */
  take(bytes: Buffer, answer: (frame: Buffer) => void): Buffer<ArrayBuffer> {
    let at = 0;
    while (bytes.length - at >= HEADER + TRAILER) {
      const size = HEADER + (bytes[at + 4] ?? 0) + TRAILER;
      if (bytes[at] !== STX) {
        at++;
        continue;
      }
      if (bytes.length - at < size) break;
      const frame = bytes.subarray(at, at + size);
      at += size;
      if (isIntact(frame) && frame[1] === STATION) answer(this.#answer(frame));
    }
    return Buffer.from(bytes.subarray(at));
  }

  #answer(frame: Buffer): Buffer {
    const [command, sequence] = [frame[2] ?? 0, frame[3] ?? 0];
    const body = frame.subarray(HEADER, -TRAILER);
    switch (command) {
      case Command.weight:
        return frameOf(command + ANSWER, sequence, this.#weight());
      case Command.tare: {
        const tare = body.length === 4 ? body.readInt32LE() : -1;
        if (tare < 0 || tare > MAX_TARE_GRAMS) return frameOf(REFUSAL, sequence, Buffer.of(OUT_OF_RANGE));
        this.#tare = tare;
        return frameOf(command + ANSWER, sequence, Buffer.alloc(0));
      }
      case Command.zero:
        this.#zero = load();
        return frameOf(command + ANSWER, sequence, Buffer.alloc(0));
      default:
        return frameOf(REFUSAL, sequence, Buffer.of(UNKNOWN_COMMAND));
    }
  }

  /** State, net and tare, in grams. */
  #weight(): Buffer {
    const body = Buffer.alloc(9);
    body[0] = 1;
    body.writeInt32LE(load() - this.#zero - this.#tare, 1);
    body.writeInt32LE(this.#tare, 5);
    return body;
  }
}

/** Something is put on it and taken off again. */
function load(): number {
  return Math.round(LOAD_GRAMS * (1 + Math.sin((Date.now() / PERIOD_MS) * 2 * Math.PI)));
}

function frameOf(command: number, sequence: number, body: Buffer): Buffer {
  const checked = Buffer.concat([Buffer.of(STATION, command, sequence, body.length), body]);
  return Buffer.concat([Buffer.of(STX), checked, Buffer.of(exclusiveOr(checked), ETX)]);
}

function isIntact(frame: Buffer): boolean {
  return frame.at(-1) === ETX && frame.at(-2) === exclusiveOr(frame.subarray(1, -TRAILER));
}

function exclusiveOr(bytes: Buffer): number {
  return bytes.reduce((sum, byte) => sum ^ byte, 0);
}
