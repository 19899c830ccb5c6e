/** An MqttBroker at its node: off until it is there, told by its status, changed while it serves. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEVICES_API_VERSION, MQTT_BROKERS } from '../../resources/group.ts';
import type { MqttBroker, MqttBrokerSpec } from '../../resources/mqtt-broker.ts';
import { createMqtt } from '../drivers/mqtt/driver.ts';
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
