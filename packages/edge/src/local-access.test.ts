import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLogger } from '@skerry/base';
import { openStore, type Store } from '@skerry/kube/store';
import { newPrivateKey, openPki } from '@skerry/security/pki';
import { createTokenIssuer, jwks } from '@skerry/security/tokens';
import { fakeClock } from '@skerry/testkit';
import { type LocalAccess, openLocalAccess } from './local-access.ts';

interface World {
  readonly store: Store;
  readonly directory: string;
  /** As the agent does at each start. */
  readonly open: () => LocalAccess;
  readonly cloudKeys: string;
  readonly cloudToken: () => string;
}

const GRANT = {
  namespace: 'default',
  serviceAccount: { name: 'app', uid: 'account' },
  audiences: [],
  expirationSeconds: 3600,
  pod: { name: 'p', uid: 'pod' },
};

const WORKER = { token: 'of the worker', authorizer: { authorize: () => ({ allowed: false }) } };

async function check(story: (world: World) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'skerry-local-access-'));
  const clock = fakeClock();
  const store = openStore({ file: join(directory, 'store.db'), clock, log: silentLogger });
  const pki = openPki(join(directory, 'pki'), { clock, names: ['127.0.0.1'], anyClock: true });
  const cloud = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const identityKey = newPrivateKey();
  const object = (name: string, uid: string) => JSON.stringify({ metadata: { name, namespace: 'default', uid } });
  try {
    await store.put('/serviceaccounts/default/app', object('app', 'account'));
    await store.put('/pods/default/p', object('p', 'pod'));
    await story({
      store,
      directory,
      open: () =>
        openLocalAccess({
          node: 'edge-1',
          store,
          pki,
          directory,
          identityKey,
          worker: WORKER,
          clock,
          log: silentLogger,
        }),
      cloudKeys: JSON.stringify(jwks([cloud.publicKey])),
      cloudToken: () => createTokenIssuer({ key: cloud.privateKey, clock }).issue(GRANT).token,
    });
  } finally {
    await store.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function whoIs(access: LocalAccess, bearerToken: string): Promise<string> {
  const answer = await access.authenticator.authenticate({ bearerToken });
  return answer.kind === 'user' ? answer.user.username : answer.kind;
}

const APP = 'system:serviceaccount:default:app';

test('a token of the cloud counts once its keys have come, and after a start without the cloud', () =>
  check(async ({ open, cloudKeys, cloudToken }) => {
    const access = open();
    assert.equal(await whoIs(access, cloudToken()), 'refused');
    access.setCloudKeys(cloudKeys);
    assert.equal(await whoIs(access, cloudToken()), APP);
    assert.equal(await whoIs(open(), cloudToken()), APP);
  }));

test('a token of the node counts, also after the next start', () =>
  check(async ({ open }) => {
    const { token } = open().issuer.issue(GRANT);
    assert.equal(await whoIs(open(), token), APP);
  }));

test('a token dies with its pod and with its account', async () => {
  for (const key of ['/pods/default/p', '/serviceaccounts/default/app']) {
    await check(async ({ open, store }) => {
      const access = open();
      const { token } = access.issuer.issue(GRANT);
      assert.equal(await whoIs(access, token), APP);
      await store.delete(key);
      assert.equal(await whoIs(access, token), 'refused');
    });
  }
});

test('damaged key files stop nothing: the cloud’s come again, the node’s is made anew', () =>
  check(async ({ open, directory, cloudKeys, cloudToken }) => {
    open().setCloudKeys(cloudKeys);
    for (const name of ['cloud-keys.json', 'token.key']) writeFileSync(join(directory, name), 'no key');
    const access = open();
    assert.equal(await whoIs(access, cloudToken()), 'refused');
    assert.equal(await whoIs(access, access.issuer.issue(GRANT).token), APP);
  }));
