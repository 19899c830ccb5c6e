import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Gvr, KubeObject } from '@skerry/api';
import { silentLogger, systemClock } from '@skerry/base';
import { deviceCrds } from '@skerry/devices';
import { type Client, createInProcessClient } from '@skerry/kube/client';
import { createApiServer } from '@skerry/kube/server';
import { openStore } from '@skerry/kube/store';
import { bootstrap } from './bootstrap.ts';
import { updatedDefinition } from './definition-update.ts';
import { readObject } from './store-reader.ts';

const DEFINITIONS: Gvr = { group: 'apiextensions.k8s.io', version: 'v1', resource: 'customresourcedefinitions' };
const TRUST_LISTS: Gvr = { group: 'devices.skerry.io', version: 'v1alpha1', resource: 'trustlists' };
const NAME = 'trustlists.devices.skerry.io';

interface World {
  readonly client: Client;
  /** Starts a release that has these definitions. */
  readonly start: (definitions: readonly KubeObject[]) => Promise<void>;
}

async function withCloud(story: (world: World) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'skerry-bootstrap-'));
  const [clock, log] = [systemClock, silentLogger];
  const store = openStore({ file: join(folder, 'api.db'), clock, log });
  const server = createApiServer({ store, clock, log, authorizer: { authorize: () => ({ allowed: true }) } });
  const user = { username: 'system:test', groups: ['system:masters'] };
  const client = createInProcessClient({ handle: (request) => server.handle(request), user });
  const start = (definitions: readonly KubeObject[]) =>
    bootstrap({
      client,
      definitions,
      read: (gvr, namespace, name) => readObject(store, { ...gvr, namespace, name }),
    });
  try {
    await story({ client, start });
  } finally {
    server.close();
    await store.close();
    await rm(folder, { recursive: true });
  }
}

type Schema = Record<string, unknown> & { properties: Record<string, Schema> };

/** The definition of TrustList with another spec. */
function release(change: (spec: Schema, definition: KubeObject) => void): KubeObject {
  const definition = structuredClone(deviceCrds().find(({ metadata }) => metadata.name === NAME)) as KubeObject;
  const { versions } = definition['spec'] as { versions: { schema: { openAPIV3Schema: Schema } }[] };
  const spec = versions[0]?.schema.openAPIV3Schema.properties['spec'];
  assert.ok(spec !== undefined);
  change(spec, definition);
  return definition;
}

const NOTE: Schema = { type: 'string', description: 'A note.', properties: {} };
const withNote = () =>
  release(({ properties }) => {
    const { properties: _none, ...note } = NOTE;
    properties['note'] = note as Schema;
  });
const trustList = (spec: object) => ({
  apiVersion: 'devices.skerry.io/v1alpha1',
  kind: 'TrustList',
  metadata: { name: 'site', namespace: 'default' },
  spec,
});

test('a newer release on an old data directory serves its new fields, and old objects stay', () =>
  withCloud(async ({ client, start }) => {
    await start([release(() => {})]);
    await client.create(TRUST_LISTS, trustList({ trusted: [{ name: 'a', pem: '-----BEGIN A' }] }));
    await start([withNote()]);
    const ref = { gvr: TRUST_LISTS, namespace: 'default', name: 'site' };
    await client.patch(ref, { spec: { note: 'hello' } }, { type: 'merge' });
    const { spec } = await client.get<KubeObject & { readonly spec: object }>(ref);
    assert.deepEqual(spec, { trusted: [{ name: 'a', pem: '-----BEGIN A' }], note: 'hello' });
  }));

test('an older release takes no field away that a newer one has brought', () =>
  withCloud(async ({ client, start }) => {
    await start([withNote()]);
    await client.create(TRUST_LISTS, trustList({ note: 'hello' }));
    await start([release(() => {})]);
    const ref = { gvr: TRUST_LISTS, namespace: 'default', name: 'site' };
    await client.patch(ref, { metadata: { labels: { a: 'b' } } }, { type: 'merge' });
    const { spec } = await client.get<KubeObject & { readonly spec: object }>(ref);
    assert.deepEqual(spec, { note: 'hello' });
  }));

test('a release that starts again writes no definition', () =>
  withCloud(async ({ client, start }) => {
    await start(deviceCrds());
    const versions = async () =>
      (await client.list<KubeObject>(DEFINITIONS)).items.map(({ metadata }) => metadata.resourceVersion);
    const before = await versions();
    await start(deviceCrds());
    assert.deepEqual(await versions(), before);
  }));

test('what a release says of a field counts, and another version that is stored stays served', () => {
  const stored = release((spec, definition) => {
    spec.properties['trusted'] = { ...NOTE, maxLength: 5 };
    const { versions } = definition['spec'] as { versions: { name: string; storage: boolean }[] };
    versions.push({ ...structuredClone(versions[0]), name: 'v1', storage: true });
  });
  const updated = updatedDefinition(
    stored,
    release(() => {}),
  );
  assert.ok(updated !== undefined);
  const { versions } = updated['spec'] as { versions: { name: string; storage: boolean; schema: never }[] };
  assert.deepEqual(
    versions.map(({ name, storage }) => [name, storage]),
    [
      ['v1alpha1', true],
      ['v1', false],
    ],
  );
  assert.doesNotMatch(JSON.stringify(versions[0]), /"maxLength":5[,}]/);
});
