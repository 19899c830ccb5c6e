import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { ResourceRow, UserInfo } from '@skerry/api';
import { silentLogger, systemClock } from '@skerry/base';
import { openStore } from '@skerry/kube/store';
import { DATA_WORKER, workerAuthorizer } from './worker-access.ts';

const row = (resource: string, ...relations: ResourceRow['relations']): ResourceRow => ({
  gvr: { group: 'devices.skerry.io', version: 'v1alpha1', resource },
  gvk: { group: 'devices.skerry.io', version: 'v1alpha1', kind: resource },
  listKind: '',
  singular: '',
  namespaced: true,
  shortNames: [],
  categories: [],
  verbs: [],
  subresources: ['status'],
  selectableFields: [],
  tracksGeneration: true,
  origin: 'cloud',
  edgeWritable: [],
  relations,
});

const SECRETS = { group: '', version: 'v1', resource: 'secrets' };
const ROWS = [
  row('devices', { to: SECRETS, namePaths: ['spec.connection.secretName'] }),
  row('opcuaservers', { to: SECRETS, namePaths: ['spec.users[].password.name'] }),
];

interface Asked {
  readonly verb: string;
  /** `GROUP/RESOURCE[/SUBRESOURCE]`. */
  readonly what: string;
  readonly name?: string;
  readonly namespace?: string;
  readonly user?: UserInfo;
}

async function check(asked: Asked, expected: boolean): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-worker-'));
  const store = openStore({ file: join(folder, 'store.db'), clock: systemClock, log: silentLogger });
  try {
    await store.put(
      'devices.skerry.io/devices/hall/meter',
      JSON.stringify({ spec: { connection: { secretName: 'login' } } }),
    );
    await store.put(
      'devices.skerry.io/opcuaservers/hall/ua',
      JSON.stringify({ spec: { users: [{ password: { name: 'people' } }] } }),
    );
    const [group = '', resource = '', subresource] = asked.what.split('/');
    const { allowed } = workerAuthorizer({ store, rows: () => ROWS }).authorize({
      user: asked.user ?? DATA_WORKER,
      verb: asked.verb,
      path: '',
      resource: {
        group,
        version: 'v1',
        resource,
        namespace: asked.namespace ?? 'hall',
        ...(subresource === undefined ? {} : { subresource }),
        ...(asked.name === undefined ? {} : { name: asked.name }),
      },
    });
    assert.equal(allowed, expected);
  } finally {
    await store.close();
    rmSync(folder, { recursive: true });
  }
}

const DEVICES = 'devices.skerry.io/devices';

test('it reads what it drives and says how that is, and changes nothing else of it', async () => {
  for (const verb of ['get', 'list', 'watch']) await check({ verb, what: DEVICES }, true);
  await check({ verb: 'patch', what: `${DEVICES}/status`, name: 'meter' }, true);
  await check({ verb: 'patch', what: DEVICES, name: 'meter' }, false);
  await check({ verb: 'delete', what: DEVICES, name: 'meter' }, false);
  await check({ verb: 'create', what: DEVICES }, false);
  await check({ verb: 'create', what: 'devices.skerry.io/deviceproposals' }, true);
});

test('of Secrets it reads those that its objects name, one by one', async () => {
  await check({ verb: 'get', what: '/secrets', name: 'login' }, true);
  await check({ verb: 'get', what: '/secrets', name: 'people' }, true);
  await check({ verb: 'get', what: '/secrets', name: 'other' }, false);
  await check({ verb: 'get', what: '/secrets', name: 'login', namespace: 'office' }, false);
  await check({ verb: 'list', what: '/secrets' }, false);
  await check({ verb: 'patch', what: '/secrets', name: 'login' }, false);
});

test('pods, nodes and accounts are none of its business', async () => {
  for (const what of ['/pods', '/nodes', '/serviceaccounts', 'apps/deployments', 'rbac.authorization.k8s.io/roles'])
    await check({ verb: 'get', what, name: 'x' }, false);
  await check({ verb: 'create', what: '/serviceaccounts/token', name: 'x' }, false);
});

test('its rights are nobody else’s', () =>
  check({ verb: 'get', what: DEVICES, user: { ...DATA_WORKER, username: 'system:serviceaccount:hall:app' } }, false));
