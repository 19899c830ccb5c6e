/** An MqttBroker at its node: off until it is there, told by its status, changed while it serves. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { generate } from 'mqtt-packet';
import { DEVICES_API_VERSION, MQTT_BROKERS } from '../../resources/group.ts';
import type { MqttBroker, MqttBrokerSpec } from '../../resources/mqtt-broker.ts';
import { createMqtt } from '../drivers/mqtt/driver.ts';
import { testAuthority } from '../testing/certificates.ts';
import { type ScratchWorker, scratchWorker } from '../testing/scratch-worker.ts';
import { RawClient } from './testing/raw-client.ts';

const REF = { gvr: MQTT_BROKERS, namespace: 'default', name: 'site' };
const SECRETS = { group: '', version: 'v1', resource: 'secrets' };
const PLAIN = { name: 'plain', address: '127.0.0.1', port: 0, security: 'Plain' as const };
const LOGIN = { clientId: 'x', username: 'press', password: Buffer.from('right') };

async function place(worker: ScratchWorker, spec: MqttBrokerSpec): Promise<void> {
  const metadata = { name: 'site', namespace: 'default' };
  await worker.client.create(MQTT_BROKERS, { apiVersion: DEVICES_API_VERSION, kind: 'MqttBroker', metadata, spec });
  await worker.client.patch(REF, { status: { nodes: ['edge-1'] } }, { type: 'merge', subresource: 'status' });
}

function statusOf(worker: ScratchWorker, isSo: (status: NonNullable<MqttBroker['status']>) => boolean) {
  return worker.until('the status', async () => {
    const { status } = await worker.client.get<MqttBroker>(REF);
    return status !== undefined && isSo(status) ? status : undefined;
  });
}

async function secret(worker: ScratchWorker, password: string): Promise<void> {
  const data = { password: Buffer.from(password).toString('base64') };
  const metadata = { name: 'press', namespace: 'default' };
  await worker.client.create(SECRETS, { apiVersion: 'v1', kind: 'Secret', metadata, data });
}

test('a broker serves while its object is there, lets in whom it names, and goes with it', async () => {
  await using worker = await scratchWorker({ mqtt: async () => createMqtt() });
  await secret(worker, 'right');
  const users = [{ name: 'press', password: { name: 'press', key: 'password' }, publish: ['press/#'] }];
  await place(worker, { listeners: [PLAIN], users });
  const { endpoints = [] } = await statusOf(worker, ({ state }) => state === 'Serving');
  const port = Number(new URL(endpoints[0] ?? '').port);
  await using client = await RawClient.connect(port, LOGIN);
  await statusOf(worker, ({ clients }) => clients === 1);
  await assert.rejects(RawClient.connect(port, { clientId: 'y' }), /code 5/);
  await worker.client.patch(REF, { spec: { users: [] } }, { type: 'merge' });
  await worker.until('the user is cut off', async () =>
    RawClient.connect(port, LOGIN).then(
      (again) => again.cut(),
      () => true,
    ),
  );
  await client.closed();
  await worker.client.delete(REF);
  await worker.until('nobody listens', async () =>
    RawClient.open(port).then(
      (open) => open.cut(),
      () => true,
    ),
  );
});

test('what a broker lacks stands in its status, and is enough once it is there', async () => {
  await using worker = await scratchWorker({ mqtt: async () => createMqtt() });
  const users = [{ name: 'press', password: { name: 'press', key: 'password' } }];
  await place(worker, { listeners: [PLAIN], users });
  const { lastError } = await statusOf(worker, ({ state }) => state === 'Failed');
  assert.match(lastError ?? '', /secrets "press" is not there/);
  await secret(worker, 'right');
  await statusOf(worker, ({ state, lastError: error }) => state === 'Serving' && error === '');
});

test('a listener with TLS does not serve plain in its place where the node gives no certificate', async () => {
  await using worker = await scratchWorker({ mqtt: async () => createMqtt() });
  await place(worker, { listeners: [{ name: 'tls', port: 0 }] });
  const { lastError } = await statusOf(worker, ({ state }) => state === 'Failed');
  assert.match(lastError ?? '', /the node gives no certificate/);
});

const MINUTE_MS = 60_000;

/** The serial number of the certificate that whoever comes now sees. */
async function serialSeen(port: number, ca: string): Promise<{ readonly serial: string; readonly socket: TLSSocket }> {
  const socket = connectTls({ host: '127.0.0.1', port, ca });
  await once(socket, 'secureConnect');
  return { serial: socket.getPeerCertificate().serialNumber, socket };
}

test('a listener that names no Secret serves by the site’s identity, which is renewed before its end and cuts nobody off', async () => {
  const authority = testAuthority();
  const asked: (readonly string[])[] = [];
  const issue = async (names: readonly string[]) => {
    asked.push(names);
    return { ...authority.issue(names, 30 * MINUTE_MS), authority: authority.pem };
  };
  await using worker = await scratchWorker({ mqtt: async () => createMqtt() }, { issue, start: Date.now() });
  await place(worker, { anonymous: true, listeners: [{ name: 'tls', port: 0, hostnames: ['broker.plant.example'] }] });
  const { endpoints = [], authority: shown = '' } = await statusOf(worker, ({ state }) => state === 'Serving');
  const { port, protocol } = new URL(endpoints[0] ?? '');
  assert.deepEqual([protocol, shown], ['mqtts:', authority.pem]);
  assert.deepEqual(asked, [['127.0.0.1', 'localhost', 'broker.plant.example']]);
  const early = await serialSeen(Number(port), shown);
  early.socket.write(generate({ cmd: 'connect', protocolId: 'MQTT', clean: true, clientId: 'early', keepalive: 0 }));
  await once(early.socket, 'data');
  await worker.clock.advance(10 * MINUTE_MS);
  assert.equal(asked.length, 1, 'it is good for a while yet');
  // Less than a third of its life is left.
  await worker.clock.advance(11 * MINUTE_MS);
  await worker.until('the renewed certificate', async () => {
    const late = await serialSeen(Number(port), shown);
    late.socket.destroy();
    return late.serial !== early.serial;
  });
  early.socket.write(generate({ cmd: 'pingreq' }));
  await once(early.socket, 'data');
  early.socket.destroy();
});

async function scratchFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'skerry-kept-'));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

test('what a broker keeps stays when the worker stops, goes with its object, and is for no other of the same name', async (t) => {
  const folder = await scratchFolder(t);
  const open = () => scratchWorker({ mqtt: async () => createMqtt(folder) }, { brokersKeptIn: folder });
  const kept = async () => (await readdir(folder)).filter((name) => name.endsWith('.db'));
  {
    await using worker = await open();
    await place(worker, { listeners: [PLAIN] });
    await statusOf(worker, ({ state }) => state === 'Serving');
  }
  const [before] = await kept();
  assert.match(before ?? '', /^default_site_[0-9a-f-]{36}\.db$/, 'the worker has stopped, and the file is there');
  await using worker = await open();
  await place(worker, { listeners: [PLAIN] });
  await statusOf(worker, ({ state }) => state === 'Serving');
  const [after, ...others] = await kept();
  assert.ok(after !== undefined && after !== before && others.length === 0, 'this is another object');
  await worker.client.delete(REF);
  await worker.until('the file is gone', async () => (await readdir(folder)).length === 0);
});
