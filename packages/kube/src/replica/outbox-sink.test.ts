import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type KubeObject, StatusError } from '@skerry/api';
import { silentLogger } from '@skerry/base';
import type { Client } from '../client/contract.ts';
import { builtinKinds } from '../server/builtin-kinds.ts';
import type { OutboxEntry, OutboxSink } from './contract.ts';
import { encodeEdgeWrite } from './edge-write.ts';
import { trackIncluded } from './included.ts';
import { createOutboxSink, type FieldConflict } from './outbox-sink.ts';
import { configMap } from './testing/objects.ts';

interface World {
  readonly sink: OutboxSink;
  readonly created: string[];
  readonly dropped: number[];
}

/** A cloud whose creations fail as `fail` says. */
function check(fail: (name: string) => void, story: (world: World) => Promise<void>): Promise<void> {
  const created: string[] = [];
  const dropped: number[] = [];
  const create = async (_gvr: unknown, { metadata: { name = '' } }: KubeObject) => {
    fail(name);
    created.push(name);
  };
  const sink = createOutboxSink({
    clientFor: () => ({ create }) as unknown as Client,
    rows: () => builtinKinds().map(({ row }) => row),
    included: trackIncluded(),
    log: silentLogger,
    onDropped: ({ seq }) => dropped.push(seq),
  });
  return story({ sink, created, dropped });
}

function entry(seq: number, name: string): OutboxEntry {
  const write = {
    key: `/configmaps/default/${name}`,
    version: 'v1',
    op: 'object',
    object: configMap(name, '1'),
  } as const;
  return { seq, bytes: encodeEdgeWrite(write) };
}

/** Sends the batch until it is taken; gives back how often it was not. */
async function sendUntilTaken(sink: OutboxSink, entries: readonly OutboxEntry[], patience = 20): Promise<number> {
  for (let refusals = 0; refusals < patience; refusals++) {
    const isTaken = await sink('edge-1', entries).then(
      () => true,
      () => false,
    );
    if (isTaken) return refusals;
  }
  return assert.fail('the batch is never taken');
}

const faulty = (name: string) => {
  if (name.startsWith('bad')) throw new StatusError(500, 'InternalError', 'Internal error occurred');
};

test('several entries that the server fails at are dropped together, and block nothing', () =>
  check(faulty, async ({ sink, created, dropped }) => {
    const refusals = await sendUntilTaken(sink, [entry(1, 'bad-1'), entry(2, 'good'), entry(3, 'bad-2')]);
    assert.equal(refusals, 4);
    assert.deepEqual(dropped, [1, 3]);
    assert.ok(created.includes('good'));
  }));

test('a batch that was taken leaves no counts behind', () =>
  check(faulty, async ({ sink, dropped }) => {
    await sendUntilTaken(sink, [entry(1, 'bad')]);
    assert.equal(await sendUntilTaken(sink, [entry(1, 'bad')]), 4);
    assert.deepEqual(dropped, [1, 1]);
  }));

test('a cloud that cannot write loses nothing, however long it lasts', () => {
  let attempts = 0;
  const unavailable = () => {
    if (++attempts <= 15) throw new StatusError(503, 'ServiceUnavailable', 'the write was not stored');
  };
  return check(unavailable, async ({ sink, created, dropped }) => {
    assert.equal(await sendUntilTaken(sink, [entry(1, 'a')]), 15);
    assert.deepEqual([created, dropped], [['a'], []]);
  });
});

test('a mirror that is there already gets the status alone, and another pod of its name gets nothing', async () => {
  const mirror = (hash: string, status: object): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'default', annotations: { 'kubernetes.io/config.mirror': hash } },
    status,
  });
  const updatesTo = async (there: KubeObject): Promise<readonly unknown[]> => {
    const updates: unknown[] = [];
    const client = {
      create: async () => {
        throw new StatusError(409, 'AlreadyExists', 'pods "p" already exists');
      },
      get: async () => there,
      update: async (_gvr: unknown, object: KubeObject, options: object) => {
        updates.push({ status: object['status'], ...options });
      },
    };
    const sink = createOutboxSink({
      clientFor: () => client as unknown as Client,
      rows: () => builtinKinds().map(({ row }) => row),
      included: trackIncluded(),
      log: silentLogger,
    });
    const object = mirror('mine', { phase: 'Running' });
    const write = { key: '/pods/default/p', version: 'v1', op: 'object', object } as const;
    await sink('edge-1', [{ seq: 1, bytes: encodeEdgeWrite(write) }]);
    return updates;
  };
  assert.deepEqual(await updatesTo(mirror('mine', {})), [{ status: { phase: 'Running' }, subresource: 'status' }]);
  assert.deepEqual(await updatesTo(mirror('another', {})), []);
});

test('where both shores have changed a field, the one who is asked decides, and else the cloud wins', async () => {
  const settled = async (edgeWins?: (conflict: FieldConflict) => boolean): Promise<unknown> => {
    let stored: KubeObject = { ...configMap('a', '1'), data: { of: 'the cloud' } };
    const client = {
      get: async () => stored,
      update: async (_gvr: unknown, next: KubeObject) => {
        stored = next;
      },
    };
    const sink = createOutboxSink({
      clientFor: () => client as unknown as Client,
      rows: () => builtinKinds().map(({ row }) => row),
      included: trackIncluded(),
      log: silentLogger,
      ...(edgeWins === undefined ? {} : { edgeWins }),
    });
    const fields = [{ path: ['data', 'of'], bases: [{ value: 'nobody' }], value: 'the edge' }];
    const write = { key: '/configmaps/default/a', version: 'v1', op: 'fields', uid: undefined, fields } as const;
    await sink('edge-1', [{ seq: 1, bytes: encodeEdgeWrite(write) }]);
    return stored['data'];
  };
  assert.deepEqual(await settled(), { of: 'the cloud' });
  assert.deepEqual(await settled(({ current, value }) => current === 'the cloud' && value === 'the edge'), {
    of: 'the edge',
  });
});
