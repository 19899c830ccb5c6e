import assert from 'node:assert/strict';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { StatusError } from '@skerry/api';
import { silentLogger } from '@skerry/base';
import { WebSocket } from 'ws';
import {
  Channel,
  createUpgradeHandler,
  type MessageStream,
  type NodeDialer,
  type NodeStreamRequest,
  type UpgradeTarget,
} from './index.ts';
import {
  controlFrame,
  dataFrame,
  FrameType,
  type SpdyFrame,
  SpdyFrameParser,
  type SpdyHeaders,
} from './spdy/frames.ts';
import { HeaderCodec } from './spdy/header-codec.ts';

/** A node whose exec echoes stdin to stdout until it closes, and whose port 80 answers in capitals. */
const dialer: NodeDialer = {
  open: async (_node, request) => {
    if (request.kind === 'portforward' && request.port !== 80)
      throw new StatusError(503, 'ServiceUnavailable', 'nobody listens');
    if (request.kind === 'exec' && request.pod === 'gone')
      throw new StatusError(404, 'NotFound', 'pods "gone" not found');
    return request.kind === 'exec' ? answering(echo) : answering(capitals);
  },
};

type Answer = (message: Buffer) => readonly Uint8Array[] | 'end';

const echo: Answer = (message) => {
  if (message[0] === Channel.close) return 'end';
  return [Buffer.concat([Buffer.of(Channel.stdout), message.subarray(1)])];
};
const capitals: Answer = (message) => [Buffer.from(message.toString().toUpperCase())];

function answering(answer: Answer): MessageStream {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>(undefined, { highWaterMark: 100 });
  const writer = writable.getWriter();
  const finish = () => void writer.close().catch(() => {});
  return {
    send: async (message) => {
      const answers = answer(Buffer.from(message));
      if (answers === 'end') {
        void writer.write(Buffer.concat([Buffer.of(Channel.error), Buffer.from('{"status":"Success"}')]));
        finish();
      } else for (const each of answers) void writer.write(each);
    },
    incoming: readable,
    end: finish,
    abort: finish,
    closed: Promise.resolve(),
  };
}

let target: UpgradeTarget;
const handler = createUpgradeHandler({ dialer, log: silentLogger });
const server = createServer();
server.on('upgrade', (message, socket, head) => void handler({ message, socket, head }, target));
let port = 0;
before(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});
after(() => void server.close());

function execTarget(pod: string): UpgradeTarget {
  const request: Extract<NodeStreamRequest, { kind: 'exec' | 'attach' }> = {
    kind: 'exec',
    namespace: 'default',
    pod,
    container: 'c',
    command: ['cat'],
    stdin: true,
    stdout: true,
    stderr: true,
    tty: false,
  };
  return { kind: 'exec', node: 'edge-1', request };
}

const FORWARD: UpgradeTarget = {
  kind: 'portforward',
  node: 'edge-1',
  namespace: 'default',
  pod: 'web',
  ports: [80, 81],
};

async function webSocket(
  protocol: string | undefined,
  onOpen: (socket: WebSocket) => void,
): Promise<readonly Buffer[]> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`, protocol === undefined ? [] : [protocol]);
  const messages: Buffer[] = [];
  socket.on('message', (data: Buffer) => messages.push(data));
  socket.on('open', () => onOpen(socket));
  await new Promise((resolve, reject) => socket.on('close', resolve).on('error', reject));
  return messages;
}

test('exec over WebSocket carries stdin, stdout, the half-close of v5 and the exit status', async () => {
  target = execTarget('web');
  const large = Buffer.alloc(100_000, 'x');
  const messages = await webSocket('v5.channel.k8s.io', (socket) => {
    socket.send(Buffer.concat([Buffer.of(Channel.stdin), large]));
    socket.send(Buffer.of(Channel.close, Channel.stdin));
  });
  const output = messages.filter((message) => message[0] === Channel.stdout).map((message) => message.subarray(1));
  assert.deepEqual(Buffer.concat(output), large);
  assert.equal(messages.at(-1)?.toString('utf8', 1), '{"status":"Success"}');
});

test('an exec that the node refuses is answered with its Status', async () => {
  target = execTarget('gone');
  await assert.rejects(
    webSocket('v4.channel.k8s.io', () => {}),
    /Unexpected server response: 404/,
  );
});

test('an unknown streaming protocol is refused with the ones that work', async () => {
  target = execTarget('web');
  await assert.rejects(
    webSocket('v9.channel.k8s.io', () => {}),
    /Unexpected server response: 400/,
  );
});

test('a watch over WebSocket is one text frame an event', async () => {
  async function* lines() {
    yield '{"type":"ADDED"}\n{"type":"MODIFIED"}\n';
    yield Buffer.from('{"type":"DELETED"}\n');
  }
  target = { kind: 'watch', lines: lines() };
  const messages = await webSocket(undefined, () => {});
  assert.deepEqual(messages.map(String), ['{"type":"ADDED"}', '{"type":"MODIFIED"}', '{"type":"DELETED"}']);
});

/** A client as kubectl is one: opens an error and a data stream, sends, and collects what each stream gets. */
class SpdyClient {
  readonly #codec = new HeaderCodec();
  readonly #write: (bytes: Buffer) => void;
  readonly #parser = new SpdyFrameParser();
  readonly received = new Map<number, string>();
  readonly ended = new Set<number>();

  constructor(write: (bytes: Buffer) => void) {
    this.#write = write;
  }

  async open(id: number, headers: SpdyHeaders): Promise<void> {
    const prefix = Buffer.alloc(10);
    prefix.writeUInt32BE(id);
    this.#write(controlFrame(FrameType.synStream, 0, Buffer.concat([prefix, await this.#codec.encode(headers)])));
  }

  data(id: number, text: string, fin: boolean): void {
    this.#write(dataFrame(id, Buffer.from(text), fin));
  }

  onBytes(bytes: Uint8Array): void {
    for (const frame of this.#parser.push(bytes)) this.#onFrame(frame);
  }

  #onFrame(frame: SpdyFrame): void {
    if (frame.kind === 'data') {
      this.received.set(frame.stream, (this.received.get(frame.stream) ?? '') + frame.payload.toString());
      if (frame.fin) this.ended.add(frame.stream);
    } else if (frame.type === FrameType.rstStream) this.ended.add(frame.payload.readUInt32BE(0));
  }
}

async function forward(client: SpdyClient, toPort: number): Promise<void> {
  await client.open(1, { streamtype: 'error', port: String(toPort), requestid: '0' });
  client.data(1, '', true);
  await client.open(3, { streamtype: 'data', port: String(toPort), requestid: '0' });
  client.data(3, 'hello', true);
}

async function rawUpgrade(method: string, headers: Record<string, string>): Promise<{ socket: Socket; head: Buffer }> {
  const request = httpRequest({ port, host: '127.0.0.1', method, headers: { Connection: 'Upgrade', ...headers } });
  request.end();
  return new Promise((resolve, reject) => {
    request.on('error', reject);
    request.on('response', (response) => reject(new Error(`answered ${response.statusCode}`)));
    request.on('upgrade', (_response, socket, head) => resolve({ socket: socket as Socket, head }));
  });
}

/** A masked binary frame of less than 64 KiB (RFC 6455 §5.2); the client library refuses the tunnel's protocol name. */
function webSocketFrame(payload: Buffer): Buffer {
  const head = Buffer.from([0x82, 0x80 | 126, payload.length >> 8, payload.length & 0xff, 0, 0, 0, 0]);
  return Buffer.concat([head, payload]);
}

function* webSocketPayloads(bytes: Buffer): Generator<Buffer> {
  for (let offset = 0; offset + 2 <= bytes.length; ) {
    const size = bytes.readUInt8(offset + 1) & 0x7f;
    yield bytes.subarray(offset + 2, offset + 2 + size);
    offset += 2 + size;
  }
}

test('port-forward through a WebSocket tunnel reaches the port and ends both streams', async () => {
  target = FORWARD;
  const { socket } = await rawUpgrade('GET', {
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Protocol': 'SPDY/3.1+portforward.k8s.io',
  });
  const client = new SpdyClient((bytes) => socket.write(webSocketFrame(bytes)));
  const done = new Promise<void>((resolve) =>
    socket.on('data', (bytes: Buffer) => {
      for (const payload of webSocketPayloads(bytes)) client.onBytes(payload);
      if (client.ended.size === 2) resolve();
    }),
  );
  await forward(client, 80);
  await done;
  socket.destroy();
  assert.equal(client.received.get(3), 'HELLO');
  assert.equal(client.received.get(1), '');
});

test('port-forward over raw SPDY tells why a port cannot be reached', async () => {
  target = FORWARD;
  const { socket, head } = await rawUpgrade('POST', {
    Upgrade: 'SPDY/3.1',
    'X-Stream-Protocol-Version': 'portforward.k8s.io',
  });
  const client = new SpdyClient((bytes) => socket.write(bytes));
  client.onBytes(head);
  const done = new Promise<void>((resolve) =>
    socket.on('data', (bytes) => {
      client.onBytes(bytes);
      if (client.ended.size === 2) resolve();
    }),
  );
  await forward(client, 81);
  await done;
  socket.destroy();
  assert.equal(client.received.get(1), 'error forwarding port 81 to pod web: nobody listens');
});

test('exec over the first of the protocols tells no status of a success', async () => {
  target = execTarget('web');
  const messages = await webSocket('channel.k8s.io', (socket) => {
    socket.send(Buffer.from('\0hello'));
    socket.send(Buffer.of(Channel.close, Channel.stdin));
  });
  assert.deepEqual(messages.map(String), ['\x01hello']);
});

test('port-forward over channels tells each port first, then what it says, or why it says nothing', async () => {
  target = FORWARD;
  let heard = '';
  await webSocket('v4.channel.k8s.io', (socket) => {
    socket.on('message', (data: Buffer) => {
      heard += `${data.toString('latin1')};`;
      if (data.length === 3 && data[0] === 1) socket.send(Buffer.from('\0hello'));
      if (heard.includes('HELLO') && heard.includes('nobody')) socket.close();
    });
  });
  for (const part of ['\0P\0;', '\x01P\0;', '\x02Q\0;', '\x03Q\0;', '\0HELLO;']) assert.ok(heard.includes(part), heard);
  assert.ok(heard.includes('\x03error forwarding port 81 to pod web: nobody listens;'), heard);
});

test('port-forward over channels wants to hear which ports', async () => {
  target = { kind: 'portforward', node: 'edge-1', namespace: 'default', pod: 'web', ports: [] };
  await assert.rejects(
    webSocket('v4.channel.k8s.io', () => {}),
    /400/,
  );
});

test('a log over WebSocket is bytes, or base64 for whoever asks for it', async () => {
  const bytes = async function* () {
    yield Buffer.from('one\n');
    yield Buffer.from('two\n');
  };
  target = { kind: 'log', bytes: bytes() };
  assert.deepEqual((await webSocket('binary.k8s.io', () => {})).map(String), ['one\n', 'two\n']);
  target = { kind: 'log', bytes: bytes() };
  assert.deepEqual((await webSocket('base64.binary.k8s.io', () => {})).map(String), ['b25lCg==', 'dHdvCg==']);
});
