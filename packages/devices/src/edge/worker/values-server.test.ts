import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '@skerry/base';
import { eventually } from '@skerry/testkit/processes';
import type { DeviceValues } from '../../telemetry/device-values.ts';
import { deviceValuesKind, type NodeGetDialer } from '../../telemetry/read-values.ts';
import { type ScratchWorker, scratchWorker } from '../testing/scratch-worker.ts';
import type { WriteOutcomes } from '../twin/door.ts';
import { doorOver } from '../twin/door-client.ts';
import { serveValues } from './values-server.ts';

const TOKEN = 'of this run';

interface World {
  readonly scratch: ScratchWorker;
  readonly socket: string;
  readonly get: (
    path: string,
    token?: string,
    method?: string,
  ) => Promise<{ status: number; body: AsyncIterable<Uint8Array> }>;
}

/** A worker with two tanks, whose time goes on by itself, and its server. */
async function withServer(story: (world: World) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-values-'));
  const socket = join(folder, 'values.sock');
  await using scratch = await scratchWorker();
  const properties = [
    { name: 'level', type: 'float64', unit: 'm' },
    { name: 'count', type: 'uint64', access: 'ReadWrite' as const },
  ];
  await scratch.model('model', { properties });
  const visitors = [
    { property: 'level', address: { signal: 'Constant', initial: { value: 2.5 } } },
    { property: 'count', address: { signal: 'Memory', initial: { value: 7 } }, scanClass: '100ms' as const },
  ];
  for (const name of ['a', 'b']) await scratch.device(name, { visitors });
  await scratch.until(
    'both',
    async () =>
      scratch.worker.devices.all().every(({ condition }) => condition.state === 'Connected') &&
      scratch.worker.last.change >= 4,
  );
  const server = await serveValues({ plane: { ...scratch.worker, clock: systemClock }, socket, token: TOKEN });
  const get: World['get'] = (path, token = TOKEN, method = 'GET') =>
    new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${token}` };
      const asked = request({ socketPath: socket, path, headers, method }, (response) =>
        resolve({ status: response.statusCode ?? 0, body: response }),
      );
      asked.once('error', reject);
      asked.end();
    });
  try {
    await story({ scratch, socket, get });
  } finally {
    await server.close();
    rmSync(folder, { recursive: true });
  }
}

/** The kind of the API server, whose nodes are this one and one that does not answer. */
function kindOver({ scratch, get }: World) {
  const dialer: NodeGetDialer = {
    open: async (node, { path }) => {
      if (node !== 'edge-1') throw new Error('this node is away');
      const { body } = await get(path);
      return { incoming: body, abort: () => {} };
    },
  };
  return deviceValuesKind({ client: scratch.client, dialer });
}

const all = { matches: () => true, signal: new AbortController().signal };

test('who does not know the token is refused, and so is who would write', () =>
  withServer(async ({ get }) => {
    assert.equal((await get('/values', 'guessed')).status, 401);
    assert.equal((await get('/values', `${TOKEN}x`)).status, 401);
    assert.equal((await get('/values', TOKEN, 'POST')).status, 405);
    assert.equal((await get('/../etc/passwd')).status, 404);
    assert.equal((await get('/values')).status, 200);
  }));

test('other processes of the node write and call through the door, and a body that is not understood is refused', () =>
  withServer(async ({ scratch, get, socket }) => {
    const door = doorOver({ socketPath: socket, token: TOKEN });
    const { signal } = new AbortController();
    const at = { namespace: 'default', device: 'a', by: 'gateway' };
    let outcomes: WriteOutcomes | undefined;
    void door.write({ ...at, values: { count: 9, level: 1 } }, signal).then((found) => {
      outcomes = found;
    });
    await eventually('the outcomes', async () => {
      await scratch.clock.advance(100);
      return outcomes !== undefined;
    });
    assert.deepEqual(
      [outcomes?.['count']?.result, outcomes?.['level']?.result, outcomes?.['level']?.reason?.includes('read-only')],
      ['Confirmed', 'Rejected', true],
    );
    await assert.rejects(door.call({ ...at, command: 'nothing', input: {} }, signal), /no command nothing/);
    assert.equal((await get('/write', TOKEN, 'POST')).status, 400);
    assert.equal((await get('/write', 'guessed', 'POST')).status, 401);
  }));

test('a list has every device, a read the one that is named, each with type, unit and quality', () =>
  withServer(async (world) => {
    const kind = kindOver(world);
    const found = (await kind.read(all)) as readonly DeviceValues[];
    assert.deepEqual(
      found.map(({ metadata }) => metadata.name),
      ['a', 'b'],
    );
    const [one, ...more] = (await kind.read({ ...all, namespace: 'default', name: 'b' })) as readonly DeviceValues[];
    assert.deepEqual(more, []);
    assert.deepEqual([one?.node, one?.state], ['edge-1', 'Connected']);
    assert.deepEqual(
      one?.values.map(({ time: _time, ...rest }) => rest),
      [
        { property: 'level', type: 'float64', unit: 'm', value: 2.5, quality: 'Good' },
        { property: 'count', type: 'uint64', value: 7, quality: 'Good' },
      ],
    );
  }));

test('a node that is away is left out of a list, and said to whoever asks for a device of it', () =>
  withServer(async (world) => {
    const kind = kindOver(world);
    const gvr = { group: 'devices.skerry.io', version: 'v1alpha1', resource: 'devices' };
    const ref = { gvr, namespace: 'default', name: 'b' };
    await world.scratch.client.patch(ref, { status: { nodes: ['edge-2'] } }, { type: 'merge', subresource: 'status' });
    assert.deepEqual(
      (await kind.read(all)).map(({ metadata }) => metadata.name),
      ['a'],
    );
    await assert.rejects(kind.read({ ...all, namespace: 'default', name: 'b' }), /away/);
    await assert.rejects(kind.read({ ...all, namespace: 'default', name: 'c' }), /not found/);
  }));

test('what a node says of devices that are not driven there does not count', () =>
  withServer(async ({ scratch }) => {
    const lie = JSON.stringify({ items: [{ metadata: { namespace: 'default', name: 'vault' }, values: [] }] });
    const dialer: NodeGetDialer = {
      open: async () => ({
        incoming: (async function* () {
          yield Buffer.from(lie);
        })(),
        abort: () => {},
      }),
    };
    assert.deepEqual(await deviceValuesKind({ client: scratch.client, dialer }).read(all), []);
  }));

test('a watch tells all there is, then what changes and nothing else, then the end of a device', () =>
  withServer(async (world) => {
    const { scratch } = world;
    const seen: string[] = [];
    const stop = new AbortController();
    const watching = (async () => {
      for await (const { type, object } of kindOver(world).watch({
        ...all,
        namespace: 'default',
        signal: stop.signal,
      })) {
        const { metadata, values } = object as DeviceValues;
        seen.push(
          `${type} ${metadata.name} ${values.map(({ property, value }) => `${property}=${String(value)}`).join(' ')}`,
        );
        if (type === 'DELETED') return;
      }
    })();
    await eventually('what there is', () => seen.length === 2);
    scratch.simulator.device('default', 'b').memory.set('count', 8);
    await eventually('the change', async () => {
      await scratch.clock.advance(100);
      return seen.some((line) => line.includes('count=8'));
    });
    const gvr = { group: 'devices.skerry.io', version: 'v1alpha1', resource: 'devices' };
    await scratch.client.delete({ gvr, namespace: 'default', name: 'b' });
    await eventually('the end', async () => {
      await scratch.clock.advance(100);
      return seen.some((line) => line.startsWith('DELETED b'));
    });
    await watching;
    assert.deepEqual(
      seen.slice(0, 2).sort((one, other) => one.localeCompare(other)),
      ['ADDED a level=2.5 count=7', 'ADDED b level=2.5 count=7'],
    );
    assert.ok(
      seen.some((line) => /^MODIFIED b .*count=8$/.test(line)),
      seen.join('; '),
    );
  }));
