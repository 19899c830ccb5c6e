/** Debian's mosquitto on loopback, that drops nothing for a slow subscriber, with a flood of messages from another process. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const PUBLISHER = fileURLToPath(new URL('./mqtt-publisher.ts', import.meta.url));
const PATIENCE_MS = 20_000;
const STEP_MS = 2;
/** Of a message of quality 0, as the publisher sends it and the broker passes it on. */
const MESSAGE_BYTES = 113;

export interface Mosquitto extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
}

export async function startMosquitto(): Promise<Mosquitto> {
  const directory = mkdtempSync(join(tmpdir(), 'skerry-mosquitto-'));
  const port = await freePort();
  const file = join(directory, 'mosquitto.conf');
  const lines = [`listener ${port} 127.0.0.1`, 'allow_anonymous true', 'persistence false', 'max_queued_messages 0'];
  writeFileSync(file, `${lines.join('\n')}\n`);
  const child = spawn('mosquitto', ['-c', file], { stdio: 'ignore', env: { PATH: '/usr/sbin:/usr/bin:/bin' } });
  await once(child, 'spawn');
  await listening(port);
  return {
    url: `mqtt://127.0.0.1:${port}`,
    port,
    [Symbol.asyncDispose]: async () => {
      child.kill();
      if (child.exitCode === null) await once(child, 'exit');
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Messages a second that a subscriber has of so many, from the first to the last. */
export async function flood(port: number, messages: number, seen: () => number): Promise<number> {
  const before = seen();
  const arguments_ = ['--conditions=source', PUBLISHER, String(port), '0', String(messages)];
  const child = spawn(process.execPath, arguments_, { stdio: ['ignore', 'inherit', 'inherit'] });
  while (seen() === before) await sleep(STEP_MS);
  const [first, began] = [seen(), performance.now()];
  for (let last = first; seen() < before + messages; last = seen()) {
    const at = performance.now();
    while (seen() === last && performance.now() - at < PATIENCE_MS) await sleep(STEP_MS);
    if (seen() === last) throw new Error(`only ${last - before} of ${messages} messages came`);
  }
  const perSecond = ((before + messages - first) * 1000) / (performance.now() - began);
  if (child.exitCode === null) await once(child, 'exit');
  return perSecond;
}

/** A subscriber that only counts the bytes that come: all that the broker delivers. */
export async function countBytes(port: number, topic: string): Promise<{ seen(): number; close(): void }> {
  const socket = connect(port, '127.0.0.1');
  const text = (value: string) => Buffer.concat([Buffer.from([0, value.length]), Buffer.from(value)]);
  const hello = Buffer.concat([text('MQTT'), Buffer.from([4, 2, 0, 60]), text('counting')]);
  socket.write(Buffer.concat([Buffer.from([0x10, hello.length]), hello]));
  await once(socket, 'data');
  const wish = Buffer.concat([Buffer.from([0, 1]), text(topic), Buffer.from([0])]);
  socket.write(Buffer.concat([Buffer.from([0x82, wish.length]), wish]));
  await once(socket, 'data');
  let bytes = 0;
  socket.on('data', (chunk) => {
    bytes += chunk.length;
  });
  return { seen: () => Math.floor(bytes / MESSAGE_BYTES), close: () => socket.destroy() };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  return address === null || typeof address === 'string' ? 0 : address.port;
}

async function listening(port: number): Promise<void> {
  for (const began = performance.now(); performance.now() - began < PATIENCE_MS; await sleep(STEP_MS)) {
    const socket = connect(port, '127.0.0.1');
    const isThere = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
    socket.destroy();
    if (isThere) return;
  }
  throw new Error('mosquitto does not listen');
}
