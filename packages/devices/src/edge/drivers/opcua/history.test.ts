/** The past of a property: from an OPC UA server that keeps it, through the data worker, to whoever asks the API. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { KubeObject } from '@skerry/api';
import { systemClock } from '@skerry/base';
import { eventually } from '@skerry/testkit/processes';
import type { NodePostDialer } from '../../../telemetry/ask-device.ts';
import {
  type DeviceHistory,
  type DeviceHistorySpec,
  deviceHistoriesKind,
} from '../../../telemetry/device-histories.ts';
import { scratchWorker } from '../../testing/scratch-worker.ts';
import type { DriverLoader } from '../../worker/drivers.ts';
import { serveValues } from '../../worker/values-server.ts';
import { contextOf, driver, settingsFor } from './testing/bench.ts';
import { Peer } from './testing/peer.ts';

const TOKEN = 'of this run';
const { signal } = new AbortController();
const HOUR_MS = 3_600_000;

let peer: Peer;
before(async () => {
  peer = await Peer.start();
});
after(() => peer[Symbol.asyncDispose]());

/** Connects as the peer wants it, by a clock that goes. */
const loader: DriverLoader = async () => ({
  protocol: 'opcua',
  connect: (settings, context) =>
    driver.connect(
      settingsFor(peer, {}, { namespace: settings.namespace, name: settings.name }),
      contextOf({ signal: context.signal }),
    ),
});

const postTo = (socketPath: string): NodePostDialer => ({
  open: async (_node, { path }) => {
    const headers = { authorization: `Bearer ${TOKEN}` };
    const asked = request({ socketPath, path, method: 'POST', headers });
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      asked.once('response', resolve);
      asked.once('error', reject);
    });
    return {
      incoming: (async function* () {
        for await (const chunk of await answered) yield chunk as Uint8Array;
      })(),
      send: async (message) => void asked.write(message),
      end: () => void asked.end(),
      abort: () => void asked.destroy(),
    };
  },
});

test('what an OPC UA server has kept is read through the API; what keeps nothing says so, and where to look', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-history-'));
  await using scratch = await scratchWorker({ opcua: loader });
  const names = ['Trend', 'Double'];
  await scratch.model('model', { properties: names.map((name) => ({ name, type: 'float64' })) });
  const visitors = names.map((name) => ({ property: name, address: { nodeId: `nsu=urn:skerry:peer;s=${name}` } }));
  const connection = { endpoint: peer.endpoint, timeout: '10m' };
  await scratch.device('press', { protocol: 'opcua', connection, visitors });
  const memory = { property: 'Trend', address: { signal: 'Memory', initial: { value: 1 } } };
  await scratch.device('tank', { visitors: [memory] });
  await eventually('both devices', async () => {
    await scratch.clock.advance(50);
    return ['press', 'tank'].every((name) => scratch.worker.devices.get('default', name)?.isConnected === true);
  });
  const socket = join(folder, 'values.sock');
  const server = await serveValues({ plane: { ...scratch.worker, clock: systemClock }, socket, token: TOKEN });
  const kind = deviceHistoriesKind({ client: scratch.client, dialer: postTo(socket), now: () => Date.now() });
  const ask = async (spec: DeviceHistorySpec) => {
    const object = { ...OBJECT, spec } as KubeObject;
    return ((await kind.create({ object, signal })) as DeviceHistory).status?.values ?? [];
  };
  try {
    for (const value of [1, 2, 3, 4]) await peer.ask({ do: 'set', name: 'Trend', value });
    const to = new Date(Date.now() + HOUR_MS).toISOString();
    const all = await ask({ device: 'press', property: 'Trend', from: '2020-01-01T00:00:00Z', to });
    assert.deepEqual(
      all.slice(-4).map(({ value }) => value),
      [1, 2, 3, 4],
    );
    const from = all.at(-4)?.time ?? '';
    const kept = await ask({ device: 'press', property: 'Trend', from, to, limit: 3 });
    assert.deepEqual(
      kept.map(({ value, quality }) => [value, quality]),
      [
        [1, 'Good'],
        [2, 'Good'],
        [3, 'Good'],
      ],
    );
    assert.ok(kept.every(({ time }) => time >= from));
    await peer.ask({ do: 'set', name: 'Trend' });
    const gap = await ask({ device: 'press', property: 'Trend', from, to });
    assert.deepEqual(gap.map(({ value, quality }) => [value, quality]).slice(3), [
      [4, 'Good'],
      [undefined, 'Bad'],
    ]);
    assert.deepEqual(
      await ask({ device: 'press', property: 'Trend', from: '2000-01-01T00:00:00Z', to: '2000-01-02T00:00:00Z' }),
      [],
    );
    const refusals: readonly (readonly [DeviceHistorySpec, RegExp])[] = [
      [{ device: 'press', property: 'Double' }, /skerry series query Double/],
      [{ device: 'tank', property: 'Trend' }, /simulator keeps no history; .*skerry series query Trend/],
      [{ device: 'press', property: 'nothing' }, /no visitor for nothing/],
      [{ device: 'press', property: 'Trend', limit: 10_001 }, /between 1 and 10000/],
      [{ device: 'press', property: 'Trend', from: 'then' }, /spec.from is no time/],
    ];
    for (const [spec, said] of refusals) await assert.rejects(ask(spec), said);
  } finally {
    await server.close();
    rmSync(folder, { recursive: true });
  }
});

const OBJECT = {
  apiVersion: 'telemetry.skerry.io/v1alpha1',
  kind: 'DeviceHistory',
  metadata: { namespace: 'default' },
};
