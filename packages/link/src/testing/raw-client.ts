/** A client that upgrades by hand and then sends whatever bytes a test likes. */
import { connect, type TLSSocket } from 'node:tls';
import type { LinkTls } from '../node/contract.ts';

export interface RawClient {
  readonly socket: TLSSocket;
  write(bytes: Uint8Array): void;
  /** The code of the close frame that the server sends, or undefined when it just hangs up. */
  readonly closeCode: Promise<number | undefined>;
}

const CLOSE_OPCODE = 8;

export async function openRaw(endpoint: string, tls: LinkTls): Promise<RawClient> {
  const [host = '', port] = endpoint.split(':');
  const socket = connect({ host, port: Number(port), ...tls });
  socket.on('error', () => {});
  await new Promise((resolve) => socket.once('secureConnect', resolve));
  const key = Buffer.alloc(16).toString('base64');
  const head = `GET /link HTTP/1.1\r\nHost: ${endpoint}\r\nConnection: Upgrade\r\nUpgrade: websocket`;
  socket.write(`${head}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`);
  await new Promise((resolve) => socket.once('data', resolve));
  const closeCode = new Promise<number | undefined>((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      for (let at = 0; at + 1 < chunk.length; at += 2 + ((chunk[at + 1] ?? 0) & 0x7f)) {
        if (((chunk[at] ?? 0) & 0x0f) === CLOSE_OPCODE) resolve(chunk.readUInt16BE(at + 2));
      }
    });
    socket.once('close', () => resolve(undefined));
  });
  return { socket, write: (bytes) => socket.write(bytes), closeCode };
}

/** The header of a masked binary frame that claims `size` bytes. */
export function frameHeader(size: bigint): Buffer {
  const header = Buffer.alloc(14);
  header[0] = 0x82;
  header[1] = 0x80 | 127;
  header.writeBigUInt64BE(size, 2);
  return header;
}

/** A whole masked binary frame of less than 126 bytes. */
export function smallFrame(body: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([0x82, 0x80 | body.length, 0, 0, 0, 0]), body]);
}
