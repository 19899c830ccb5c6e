/** Raw publishers in a process of their own: packets made beforehand, written as fast as the broker takes them. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

const CONNECTIONS = 4;
const TOPICS = 10;
/** Of one write. */
const PACKETS = 100;
/** Of quality 1, on their way without an acknowledgement. */
const WINDOW = 800;
const ACK_BYTES = 4;
const PACKET_BYTES = 113;

const [port = 0, qos = 0, messages = 0] = process.argv.slice(2).map(Number);
await Promise.all(Array.from({ length: CONNECTIONS }, (_, at) => publish(at, messages / CONNECTIONS)));

async function publish(at: number, count: number): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  const id = `publisher-${at}`;
  socket.write(
    Buffer.concat([
      Buffer.from([0x10, 12 + id.length, 0, 4]),
      Buffer.from('MQTT'),
      Buffer.from([4, 2, 0, 60]),
      text(id),
    ]),
  );
  await once(socket, 'data');
  const many = Buffer.concat(
    Array.from({ length: PACKETS }, (_, index) => packet(`bench/line${at}/device${index % TOPICS}`, index)),
  );
  if (qos === 0) await stream(socket, many, count);
  else await acknowledged(socket, many, count);
  // The answer says that everything before it has been read.
  socket.write(Buffer.from([0xc0, 0]));
  await once(socket, 'data');
  socket.destroy();
}

async function stream(socket: Socket, many: Buffer, count: number): Promise<void> {
  for (let sent = 0; sent < count; sent += PACKETS) if (!socket.write(many)) await once(socket, 'drain');
}

async function acknowledged(socket: Socket, many: Buffer, count: number): Promise<void> {
  let acks = 0;
  let wake = () => {};
  const onData = (bytes: Buffer) => {
    acks += bytes.length / ACK_BYTES;
    wake();
  };
  socket.on('data', onData);
  const until = async (least: number) => {
    while (acks < least)
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
  };
  for (let sent = 0; sent < count; sent += PACKETS) {
    socket.write(many);
    await until(sent + PACKETS - WINDOW);
  }
  await until(count);
  socket.off('data', onData);
}

/** As a meter would send it: `{"value":12.5,"unit":"…"}`, filled up to the size. */
function packet(topic: string, index: number): Buffer {
  const head = Buffer.concat([text(topic), qos === 0 ? Buffer.alloc(0) : Buffer.from([0, index + 1])]);
  const start = `{"value":${index}.5,"text":"`;
  const payload = Buffer.from(`${start}${'x'.repeat(PACKET_BYTES - 2 - head.length - start.length - 2)}"}`);
  return Buffer.concat([Buffer.from([0x30 | (qos << 1), head.length + payload.length]), head, payload]);
}

function text(value: string): Buffer {
  return Buffer.concat([Buffer.from([0, value.length]), Buffer.from(value)]);
}
