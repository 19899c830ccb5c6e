/** For tests: a wire to a broker on which is seen how a client introduces itself. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type IConnectPacket, parser } from 'mqtt-packet';

export interface Relay extends AsyncDisposable {
  readonly port: number;
  readonly connects: readonly IConnectPacket[];
}

export async function openRelay(port: number): Promise<Relay> {
  const connects: IConnectPacket[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const broker = connect(port, '127.0.0.1');
    const reading = parser();
    reading.on('packet', (packet) => {
      if (packet.cmd === 'connect') connects.push(packet);
    });
    client.on('data', (bytes) => reading.parse(bytes));
    client.pipe(broker).pipe(client);
    for (const socket of [client, broker]) {
      sockets.add(socket);
      socket.on('error', () => {});
    }
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    connects,
    [Symbol.asyncDispose]: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
