/** What a broker has acknowledged it has, whatever ends it. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { RawClient } from './testing/raw-client.ts';
import { brokerConfig, portOf, scratchBroker } from './testing/scratch-broker.ts';

const PROGRAM = fileURLToPath(new URL('./testing/broker-process.ts', import.meta.url));
const SESSION = { clientId: 'keeper', clean: false };
const PUBLISH = { cmd: 'publish' as const, dup: false, retain: false };

interface Running {
  readonly port: number;
  readonly child: ChildProcess;
}

async function start(file: string): Promise<Running> {
  const child = spawn(process.execPath, ['--conditions=source', PROGRAM, file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, port: Number(String(line)) };
}

async function kill({ child }: Running): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
}

async function scratchFile(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'skerry-broker-'));
  t.after(() => rm(folder, { recursive: true }));
  return join(folder, 'broker.db');
}

/** Publishes in a stream and kills the broker in the midst of it; what was acknowledged by then. */
async function publishUntilKilled(broker: Running, qos: 1 | 2, killAfter: number): Promise<readonly string[]> {
  const acknowledged: string[] = [];
  const writer = await RawClient.connect(broker.port);
  for (let id = 1; id <= killAfter * 2; id++)
    writer.send({ ...PUBLISH, topic: 'kept/x', payload: String(id), qos, messageId: id });
  try {
    while (acknowledged.length < killAfter) {
      const { messageId } = await writer.receive(qos === 1 ? 'puback' : 'pubrec');
      acknowledged.push(String(messageId));
    }
  } finally {
    await kill(broker);
    await writer.cut();
  }
  return acknowledged;
}

/** Everything that waits for the session, with its end in sight by a message that comes after it. */
async function drain(port: number): Promise<readonly string[]> {
  await using keeper = await RawClient.connect(port, SESSION);
  await using writer = await RawClient.connect(port);
  writer.send({ ...PUBLISH, topic: 'kept/x', payload: 'end', qos: 1, messageId: 1 });
  const texts: string[] = [];
  for (;;) {
    const { text, id, qos } = await keeper.message();
    keeper.send(qos === 1 ? { cmd: 'puback', messageId: id } : { cmd: 'pubrec', messageId: id });
    if (text === 'end') return texts;
    texts.push(text);
  }
}

for (const qos of [1, 2] as const) {
  test(`messages of quality ${qos} that were acknowledged survive kill -9, in order, none twice`, async (t) => {
    const file = await scratchFile(t);
    const broker = await start(file);
    const keeper = await RawClient.connect(broker.port, SESSION);
    await keeper.subscribe('kept/#', qos);
    await keeper.cut();
    const acknowledged = await publishUntilKilled(broker, qos, 50);
    const again = await start(file);
    try {
      const received = await drain(again.port);
      assert.deepEqual(received.slice(0, acknowledged.length), acknowledged);
      assert.equal(new Set(received).size, received.length, 'none twice');
    } finally {
      await kill(again);
    }
  });
}

test('a message of quality 2 that is sent again after kill -9 is not published again', async (t) => {
  const file = await scratchFile(t);
  const broker = await start(file);
  const keeper = await RawClient.connect(broker.port, SESSION);
  await keeper.subscribe('kept/#', 2);
  await keeper.cut();
  const publisher = { clientId: 'publisher', clean: false };
  const packet = { ...PUBLISH, topic: 'kept/x', payload: 'once', qos: 2 as const, messageId: 7 };
  const writer = await RawClient.connect(broker.port, publisher);
  writer.send(packet);
  await writer.receive('pubrec');
  await kill(broker);
  const again = await start(file);
  try {
    await using returned = await RawClient.connect(again.port, publisher);
    returned.send({ ...packet, dup: true });
    await returned.receive('pubrec');
    returned.send({ cmd: 'pubrel', messageId: 7 });
    await returned.receive('pubcomp');
    assert.deepEqual(await drain(again.port), ['once']);
  } finally {
    await kill(again);
  }
});

test('retained messages and their removal survive a restart', async (t) => {
  const file = await scratchFile(t);
  {
    await using first = await scratchBroker({}, { file });
    for (const [topic, payload] of [
      ['r/stays', 'here'],
      ['r/goes', 'gone'],
      ['r/goes', ''],
    ] as const)
      await first.broker.publish({ topic, payload: Buffer.from(payload), qos: 1, isRetained: true });
  }
  await using second = await scratchBroker({}, { file });
  await using reader = await RawClient.connect(second.port);
  await reader.subscribe('r/#');
  const { topic, text, retain } = await reader.message();
  assert.deepEqual({ topic, text, retain }, { topic: 'r/stays', text: 'here', retain: true });
  assert.deepEqual(await reader.flushed(), []);
});

test('what was delivered and not acknowledged comes again with its id after a restart', async (t) => {
  const file = await scratchFile(t);
  let id = 0;
  {
    await using first = await scratchBroker({}, { file });
    await using keeper = await RawClient.connect(first.port, SESSION);
    await keeper.subscribe('kept/#', 1);
    await first.broker.publish({ topic: 'kept/x', payload: Buffer.from('x'), qos: 1, isRetained: false });
    id = (await keeper.message()).id;
  }
  await using second = await scratchBroker({}, { file });
  await using keeper = await RawClient.connect(second.port, SESSION);
  const message = await keeper.message();
  assert.deepEqual({ text: message.text, id: message.id, dup: message.dup }, { text: 'x', id, dup: true });
});

test('beyond its bounds a queue takes nothing more and says how much it has missed', async () => {
  const limits = { ...brokerConfig().limits, queuedMessagesPerClient: 3 };
  await using scratch = await scratchBroker({ limits });
  const keeper = await RawClient.connect(scratch.port, SESSION);
  await keeper.subscribe('kept/#', 1);
  await keeper.cut();
  for (const text of ['1', '2', '3', '4', '5'])
    await scratch.broker.publish({ topic: 'kept/x', payload: Buffer.from(text), qos: 1, isRetained: false });
  assert.equal(scratch.broker.report().dropped, 2);
  await using returned = await RawClient.connect(portOf(scratch.broker), SESSION);
  for (const text of ['1', '2', '3']) assert.equal((await returned.message()).text, text);
});
