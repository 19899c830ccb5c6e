import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { test } from 'node:test';
import { systemClock } from '@skerry/base';
import { requireSystem, serialCable } from '@skerry/testkit/processes';
import { isDriverError } from '../driver-error.ts';
import { type ByteStream, parseEndpoint, serialSettings } from './byte-stream.ts';
import { openStream } from './open-stream.ts';
import { sttyArguments } from './serial-stream.ts';

/** Every byte there is: a line that edits or translates would lose some of them. */
const ALL_BYTES = Uint8Array.from({ length: 256 }, (_, byte) => byte);

function check(text: string, expected: unknown): void {
  assert.deepEqual(parseEndpoint(text, 502), expected, text);
}

function open(text: string): Promise<ByteStream> {
  const endpoint = parseEndpoint(text);
  assert.ok(endpoint !== undefined);
  const signal = new AbortController().signal;
  return openStream({ endpoint, serial: serialSettings({}), timeoutMs: 10_000, clock: systemClock, signal });
}

async function collect(stream: ByteStream, length: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  return new Promise((resolve) =>
    stream.onBytes((bytes) => {
      parts.push(bytes);
      const all = Buffer.concat(parts);
      if (all.length >= length) resolve(new Uint8Array(all));
    }),
  );
}

test('an endpoint is a host with a port, or a file of a serial line, and nothing else', () => {
  check('tcp://meter.plant.example:1502', { kind: 'tcp', host: 'meter.plant.example', port: 1502 });
  check('tcp://192.0.2.7', { kind: 'tcp', host: '192.0.2.7', port: 502 });
  check('tcp://[2001:db8::7]:1', { kind: 'tcp', host: '2001:db8::7', port: 1 });
  check('serial:///dev/serial/by-id/usb-x_1-if00', { kind: 'serial', path: '/dev/serial/by-id/usb-x_1-if00' });
  for (const text of ['', 'tcp://', 'tcp://a:0', 'tcp://a:65536', 'tcp://a:1/x', 'http://a:1', 'serial:///etc/passwd'])
    check(text, undefined);
  check('serial:///dev/../etc/passwd', undefined);
});

test('a line is set as the settings say', () => {
  const settings = { baudRate: 19_200, dataBits: 7, parity: 'Even', stopBits: 2, flowControl: 'Hardware' } as const;
  const said = sttyArguments(settings);
  for (const word of ['raw', '19200', 'cs7', 'parenb', '-parodd', 'cstopb', 'crtscts']) assert.ok(said.includes(word));
});

test('every byte goes through a serial line as it is, both ways, and an end of the line is told', async (t) => {
  if (!requireSystem(t, 'socat')) return;
  const cable = await serialCable();
  const [one, other] = await Promise.all(cable.ends.map((path) => open(`serial://${path}`)));
  assert.ok(one !== undefined && other !== undefined);
  const [there, back] = [collect(other, 256), collect(one, 256)];
  one.write(ALL_BYTES);
  assert.deepEqual(await there, ALL_BYTES);
  other.write(ALL_BYTES);
  assert.deepEqual(await back, ALL_BYTES);
  await cable[Symbol.asyncDispose]();
  const [why] = await Promise.all([one.closed, other.closed]);
  assert.ok(isDriverError(why, 'Unreachable'), String(why));
});

test('a file that is no serial line is refused, and one that is not there is Unreachable', async () => {
  await assert.rejects(open('serial:///dev/no-such-line'), { kind: 'Unreachable', message: /not there/ });
  await assert.rejects(open('serial:///dev/null'), { kind: 'Misconfigured' });
});

test('TCP goes both ways, its end is told, and a port where nobody listens is Unreachable', async () => {
  const server = createServer((socket) => socket.pipe(socket));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const stream = await open(`tcp://127.0.0.1:${port}`);
  const back = collect(stream, 256);
  stream.write(ALL_BYTES);
  assert.deepEqual(await back, ALL_BYTES);
  stream.close();
  assert.equal(await stream.closed, undefined);
  server.close();
  await once(server, 'close');
  await assert.rejects(open(`tcp://127.0.0.1:${port}`), { kind: 'Unreachable', message: /nobody listens/ });
});
