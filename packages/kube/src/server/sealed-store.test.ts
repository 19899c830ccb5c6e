import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Sealer } from '@skerry/api';
import { sealedStore } from './sealed-store.ts';
import { memoryStore } from './testing/memory-store.ts';

// Reversible, bound to its cell, and visibly not the plain text.
const sealer: Sealer = {
  seal: (cell, plain) => Buffer.from(`${cell}|${Buffer.from(plain).toString('hex')}`),
  open: (cell, sealed) => {
    const [place, hex = ''] = Buffer.from(sealed).toString().split('|');
    if (place !== cell) throw new Error(`sealed for ${place}, opened as ${cell}`);
    return Buffer.from(hex, 'hex');
  },
};

const CANARY = 'canary-value';
const SECRET = JSON.stringify({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: {
    name: 'one',
    annotations: { 'kubectl.kubernetes.io/last-applied-configuration': `{"data":"${CANARY}"}` },
  },
  data: { password: Buffer.from(CANARY).toString('base64') },
});

test('a Secret is opened for readers and watchers, and sealed below', async () => {
  const below = memoryStore();
  const store = sealedStore(below, sealer);
  const seen: string[] = [];
  store.subscribe('/secrets/', store.revision, (changes) => {
    for (const change of changes) seen.push(change.type === 'put' ? change.object.json : change.previous.json);
  });
  const stored = await store.put('/secrets/default/one', SECRET);
  await store.put('/configmaps/default/one', '{"data":{}}');
  await store.delete('/secrets/default/one', { ifRevision: stored.revision });
  assert.equal(stored.json, SECRET);
  assert.deepEqual(seen, [SECRET, SECRET]);
  const kept = below.list('/secrets/', { revision: stored.revision }).items[0]?.json ?? '';
  assert.ok(!kept.includes(CANARY) && !kept.includes(Buffer.from(CANARY).toString('base64')), kept);
});

test('a sealed value moved to another Secret does not open', async () => {
  const below = memoryStore();
  const store = sealedStore(below, sealer);
  await store.put('/secrets/default/one', SECRET);
  await below.put('/secrets/default/two', below.get('/secrets/default/one')?.json ?? '');
  assert.equal(store.get('/secrets/default/one')?.json, SECRET);
  assert.throws(() => store.get('/secrets/default/two'), /sealed for/);
});
