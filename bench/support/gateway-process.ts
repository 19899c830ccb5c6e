/** For the bench of the gateway: a server of OPC UA in a process of its own, fed as the data worker feeds it, or by itself. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger, systemClock } from '@skerry/base';
import { ShownServer } from '../../packages/devices/src/edge/gateway/shown-server.ts';
import { shownDevice } from '../../packages/devices/src/edge/gateway/space-plan.ts';
import { STANDARD_NODES } from '../../packages/devices/src/edge/gateway/testing/nodeset.ts';
import { createPasswords } from '../../packages/devices/src/edge/logins/passwords.ts';
import { ownKeyPair } from '../../packages/devices/src/edge/opcua/own-certificate.ts';
import { RejectedCertificates } from '../../packages/devices/src/edge/worker/rejected-certificates.ts';
import { resolveModel } from '../../packages/devices/src/models/resolve-model.ts';
import type { Device } from '../../packages/devices/src/resources/device.ts';
import type { DeviceModel } from '../../packages/devices/src/resources/device-model.ts';

export interface GatewayOrder {
  readonly socketPath: string;
  readonly devices: readonly Device[];
  readonly model: DeviceModel;
}

const folder = mkdtempSync(join(tmpdir(), 'skerry-bench-gateway-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
process.once('disconnect', () => process.exit(0));
process.on('message', (order: GatewayOrder | 'usage') => {
  if (order !== 'usage') return void serve(order);
  const { user, system } = process.cpuUsage();
  process.send?.({ cpuMs: (user + system) / 1000, rss: process.memoryUsage().rss });
});

async function serve({ socketPath, devices, model }: GatewayOrder): Promise<void> {
  const resolved = resolveModel('m', () => model);
  if (typeof resolved === 'string') throw new Error(resolved);
  const applicationUri = 'urn:skerry:bench:gateway';
  const facts = { commonName: 'bench', applicationUri, hosts: ['127.0.0.1'] };
  const server = await ShownServer.open({
    name: 'gateway',
    namespace: 'default',
    clock: systemClock,
    log: silentLogger,
    door: { write: async () => ({}), call: async () => ({}) },
    endpoint: {
      address: '127.0.0.1',
      port: 0,
      hostnames: [],
      applicationUri,
      namespaceUri: 'urn:bench',
      policies: ['None'],
      modes: [],
      anonymous: true,
    },
    keyPair: await ownKeyPair(join(folder, 'own.pem'), facts, Date.now()),
    limits: {
      sessions: 5,
      subscriptionsPerSession: 5,
      monitoredItemsPerSubscription: 10_000,
      queueSize: 1000,
      minSamplingIntervalMs: 0,
      messageBytes: 16 * 1024 * 1024,
    },
    access: () => ({
      anchors: undefined,
      users: new Map(),
      passwords: createPasswords(new Map()),
      certificateRole: undefined,
    }),
    refusals: new RejectedCertificates(),
    nodeset: STANDARD_NODES,
    neighbours: () => [],
    share: { index: 0, of: 1 },
    values: { socketPath, token: 'bench' },
  });
  await server.show({ devices: devices.map((device) => shownDevice(device, resolved)), models: () => resolved });
  process.send?.({ endpoint: server.endpointUrl });
}
