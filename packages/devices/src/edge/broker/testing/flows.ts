/** For tests: the demands of MQTT 3.1.1 that take more than one packet. */
import assert from 'node:assert/strict';
import { RawClient } from './raw-client.ts';

const PUBLISH = { cmd: 'publish' as const, qos: 0 as const, dup: false, retain: false };

export async function retained(port: number): Promise<void> {
  await using writer = await RawClient.connect(port);
  writer.send({ ...PUBLISH, topic: 'kept/r', payload: 'kept', retain: true, qos: 1, messageId: 1 });
  await writer.receive('puback');
  await using reader = await RawClient.connect(port);
  await reader.subscribe('kept/+');
  const { topic, text, retain } = await reader.message();
  assert.deepEqual({ topic, text, retain }, { topic: 'kept/r', text: 'kept', retain: true });
}

export async function retainedTakenAway(port: number): Promise<void> {
  await using writer = await RawClient.connect(port);
  for (const payload of ['kept', ''])
    writer.send({ ...PUBLISH, topic: 'r/away', payload, retain: true, qos: 1, messageId: 1 });
  await writer.receive('puback');
  await writer.receive('puback');
  await using reader = await RawClient.connect(port);
  await reader.subscribe('r/away');
  reader.send({ ...PUBLISH, topic: 'r/away', payload: 'first' });
  assert.equal((await reader.message()).text, 'first');
}

export async function retainedAgain(port: number): Promise<void> {
  await using client = await RawClient.connect(port);
  client.send({ ...PUBLISH, topic: 'r/again', payload: 'kept', retain: true, qos: 1, messageId: 1 });
  await client.receive('puback');
  for (let turn = 0; turn < 2; turn++) {
    await client.subscribe('r/again');
    assert.equal((await client.message()).text, 'kept');
  }
}

const WILL = { topic: 'will/of', payload: Buffer.from('gone'), qos: 1 as const, retain: false };

export async function will(port: number): Promise<void> {
  await using reader = await RawClient.connect(port);
  await reader.subscribe('will/of', 1);
  await using client = await RawClient.connect(port, { will: WILL });
  await client.cut();
  assert.equal((await reader.message()).text, 'gone');
}

export async function noWill(port: number): Promise<void> {
  await using reader = await RawClient.connect(port);
  await reader.subscribe('will/not/#');
  await using client = await RawClient.connect(port, { will: { ...WILL, topic: 'will/not/of' } });
  client.send({ cmd: 'disconnect' });
  await client.closed();
  reader.send({ ...PUBLISH, topic: 'will/not/end', payload: 'end' });
  assert.equal((await reader.message()).text, 'end');
}

export async function retainedWill(port: number): Promise<void> {
  await using early = await RawClient.connect(port);
  await early.subscribe('will/kept');
  await using client = await RawClient.connect(port, { will: { ...WILL, topic: 'will/kept', retain: true } });
  await client.cut();
  await early.message();
  await using late = await RawClient.connect(port);
  await late.subscribe('will/kept');
  assert.equal((await late.message()).retain, true);
}

export async function exactlyOnce(port: number): Promise<void> {
  await using client = await RawClient.connect(port);
  await client.subscribe('q/2', 0);
  const packet = { ...PUBLISH, topic: 'q/2', payload: 'once', qos: 2 as const, messageId: 5 };
  client.send(packet);
  assert.equal((await client.receive('pubrec'))['messageId'], 5);
  client.send({ ...packet, dup: true });
  assert.equal((await client.receive('pubrec'))['messageId'], 5);
  client.send({ cmd: 'pubrel', messageId: 5 });
  // The message itself may come before its end or after it.
  const seen = [await client.receive('pubcomp'), ...(await client.flushed())];
  assert.equal(seen[0]?.['messageId' as keyof (typeof seen)[0]], 5);
  await using reader = await RawClient.connect(port);
  await reader.subscribe('q/2/x', 2);
  client.send({ ...packet, topic: 'q/2/x', messageId: 6 });
  await client.receive('pubrec');
  client.send({ ...packet, topic: 'q/2/x', messageId: 6, dup: true });
  await client.receive('pubrec');
  client.send({ cmd: 'pubrel', messageId: 6 });
  await client.receive('pubcomp');
  const { text, id, qos } = await reader.message();
  assert.deepEqual({ text, qos }, { text: 'once', qos: 2 });
  reader.send({ cmd: 'pubrec', messageId: id });
  assert.equal((await reader.receive('pubrel'))['messageId'], id);
  reader.send({ cmd: 'pubcomp', messageId: id });
  assert.deepEqual(await reader.flushed(), []);
}

export async function idAgain(port: number): Promise<void> {
  await using client = await RawClient.connect(port);
  await using reader = await RawClient.connect(port);
  await reader.subscribe('q/again', 0);
  for (const payload of ['one', 'two']) {
    client.send({ ...PUBLISH, topic: 'q/again', payload, qos: 2, messageId: 1 });
    await client.receive('pubrec');
    client.send({ cmd: 'pubrel', messageId: 1 });
    await client.receive('pubcomp');
    assert.equal((await reader.message()).text, payload);
  }
}

export async function acksInOrder(port: number): Promise<void> {
  await using keeper = await RawClient.connect(port, { clientId: 'keeper-of-order', clean: false });
  await keeper.subscribe('order/kept', 1);
  await using client = await RawClient.connect(port);
  const ids = Array.from({ length: 50 }, (_, at) => at + 1);
  for (const messageId of ids)
    client.send({
      ...PUBLISH,
      topic: messageId % 3 === 0 ? 'order/kept' : 'order/not',
      payload: 'x',
      qos: 1,
      messageId,
    });
  for (const id of ids) assert.equal((await client.receive('puback'))['messageId'], id);
}

export async function messagesInOrder(port: number): Promise<void> {
  await using reader = await RawClient.connect(port);
  await reader.subscribe('order/of', 1);
  await using client = await RawClient.connect(port);
  const texts = Array.from({ length: 50 }, (_, at) => String(at));
  for (const [at, payload] of texts.entries())
    client.send({ ...PUBLISH, topic: 'order/of', payload, qos: 1, messageId: at + 1 });
  for (const text of texts) {
    const message = await reader.message();
    assert.equal(message.text, text);
    reader.send({ cmd: 'puback', messageId: message.id });
  }
}

export async function lesserQuality(port: number): Promise<void> {
  await using client = await RawClient.connect(port);
  await using reader = await RawClient.connect(port);
  await reader.subscribe('less/+', 1);
  client.send({ ...PUBLISH, topic: 'less/a', payload: 'a', qos: 0 });
  assert.equal((await reader.message()).qos, 0);
  client.send({ ...PUBLISH, topic: 'less/a', payload: 'b', qos: 2, messageId: 2 });
  await client.receive('pubrec');
  client.send({ cmd: 'pubrel', messageId: 2 });
  assert.equal((await reader.message()).qos, 1);
}

export async function sessionLasts(port: number): Promise<void> {
  const session = { clientId: 'lasts', clean: false };
  await using before = await RawClient.connect(port, session);
  await before.subscribe('lasts/#', 1);
  await before.cut();
  await using writer = await RawClient.connect(port);
  for (const [at, payload] of ['one', 'two'].entries())
    writer.send({ ...PUBLISH, topic: 'lasts/x', payload, qos: 1, messageId: at + 1 });
  await writer.receive('puback');
  await writer.receive('puback');
  await using after = await RawClient.connect(port, session);
  for (const text of ['one', 'two']) {
    const message = await after.message();
    assert.equal(message.text, text);
    after.send({ cmd: 'puback', messageId: message.id });
  }
}

export async function comesAgain(port: number): Promise<void> {
  const session = { clientId: 'again', clean: false };
  await using before = await RawClient.connect(port, session);
  await before.subscribe('again', 1);
  before.send({ ...PUBLISH, topic: 'again', payload: 'x', qos: 1, messageId: 1 });
  const first = await before.message();
  await before.cut();
  await using after = await RawClient.connect(port, session);
  const second = await after.message();
  assert.deepEqual({ text: second.text, id: second.id, dup: second.dup }, { text: 'x', id: first.id, dup: true });
}

export async function sessionForgotten(port: number): Promise<void> {
  const session = { clientId: 'forgets', clean: false };
  await using before = await RawClient.connect(port, session);
  await before.subscribe('forgets', 1);
  await before.cut();
  await using writer = await RawClient.connect(port);
  writer.send({ ...PUBLISH, topic: 'forgets', payload: 'old', qos: 1, messageId: 1 });
  await writer.receive('puback');
  await using clean = await RawClient.connect(port, { ...session, clean: true });
  clean.send({ cmd: 'disconnect' });
  await clean.closed();
  await using after = await RawClient.open(port);
  after.sendConnect(session);
  assert.equal((await after.receive('connack'))['sessionPresent'], false);
  assert.deepEqual(await after.flushed(), []);
}

export async function sessionPresent(port: number): Promise<void> {
  const session = { clientId: 'present', clean: false };
  for (const expected of [false, true]) {
    await using client = await RawClient.open(port);
    client.sendConnect(session);
    assert.equal((await client.receive('connack'))['sessionPresent'], expected);
    await client.subscribe('present', 1);
  }
}

export async function takeover(port: number): Promise<void> {
  await using first = await RawClient.connect(port, { clientId: 'twin' });
  await using second = await RawClient.connect(port, { clientId: 'twin' });
  await first.closed();
  await second.flushed();
}

export async function unsubscribed(port: number): Promise<void> {
  await using client = await RawClient.connect(port);
  await client.subscribe('un/a');
  await client.subscribe('un/end');
  client.send({ cmd: 'unsubscribe', messageId: 6, unsubscriptions: ['un/a'] });
  await client.receive('unsuback');
  client.send({ ...PUBLISH, topic: 'un/a', payload: 'a' });
  client.send({ ...PUBLISH, topic: 'un/end', payload: 'end' });
  assert.equal((await client.message()).text, 'end');
}

/** Once with the greatest quality, or once a filter: a broker may choose. */
export async function overlapping(port: number): Promise<void> {
  await using reader = await RawClient.connect(port);
  await reader.subscribe('over/#', 1);
  await reader.subscribe('over/+', 2);
  await using writer = await RawClient.connect(port);
  writer.send({ ...PUBLISH, topic: 'over/x', payload: 'x', qos: 2, messageId: 3 });
  await writer.receive('pubrec');
  writer.send({ cmd: 'pubrel', messageId: 3 });
  await writer.receive('pubcomp');
  const first = await reader.message();
  const later = (await reader.flushed()).flatMap((packet) => (packet.cmd === 'publish' ? [packet.qos] : []));
  const qualities = [first.qos, ...later].sort((one, other) => one - other);
  assert.ok(qualities.join() === '2' || qualities.join() === '1,2', `qualities ${qualities.join()}`);
}

/** Wherever a message of quality 2 was interrupted, the next connection goes on from there. */
export async function resumesExactlyOnce(port: number): Promise<void> {
  const session = { clientId: 'resumes', clean: false };
  await using before = await RawClient.connect(port, session);
  await before.subscribe('resumes', 2);
  await using writer = await RawClient.connect(port);
  writer.send({ ...PUBLISH, topic: 'resumes', payload: 'x', qos: 2, messageId: 4 });
  await writer.receive('pubrec');
  writer.send({ cmd: 'pubrel', messageId: 4 });
  const { id } = await before.message();
  await before.cut();
  await using second = await RawClient.connect(port, session);
  const again = await second.message();
  assert.deepEqual({ text: again.text, id: again.id, dup: again.dup }, { text: 'x', id, dup: true });
  second.send({ cmd: 'pubrec', messageId: id });
  assert.equal((await second.receive('pubrel'))['messageId'], id);
  await second.cut();
  await using third = await RawClient.connect(port, session);
  assert.equal((await third.receive('pubrel'))['messageId'], id);
  third.send({ cmd: 'pubcomp', messageId: id });
  await third.flushed();
  await third.cut();
  await using last = await RawClient.connect(port, session);
  assert.deepEqual(await last.flushed(), []);
}
