import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { DEVICES_API_VERSION } from '../../resources/group.ts';
import type { OpcUaServer, OpcUaServerSpec } from '../../resources/opcua-server.ts';
import { applicationUriOf, thumbprintOf } from '../opcua/own-certificate.ts';
import { resolveServer, type ServerSettings } from './server-settings.ts';
import { makePair } from './testing/opcua-peer.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

/** The settings of a server whose Secrets all hold `secret`; or the reason why there are none. */
async function check(
  spec: OpcUaServerSpec,
  secret: Readonly<Record<string, string>>,
  verify: (settings: (more?: OpcUaServerSpec, shard?: number) => Promise<ServerSettings>) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-settings-'));
  const server = (more: OpcUaServerSpec): OpcUaServer => ({
    apiVersion: DEVICES_API_VERSION,
    kind: 'OpcUaServer',
    metadata: { name: 'hall', namespace: 'north' },
    spec: { ...spec, ...more },
  });
  const held = Object.fromEntries(Object.entries(secret).map(([key, text]) => [key, bytes(text)]));
  try {
    await verify((more = {}, shard = 0) =>
      resolveServer(server(more), { fetch: async () => ({ secret: held }), folder, now: Date.now(), shard }),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('without a word it listens on this machine only, encrypts, and lets nobody in', () =>
  check({}, {}, async (settings) => {
    const { endpoint, access } = await settings();
    assert.deepEqual(
      [endpoint.address, endpoint.port, endpoint.anonymous, endpoint.modes, endpoint.policies.includes('None')],
      ['127.0.0.1', 4840, false, ['SignAndEncrypt'], false],
    );
    assert.deepEqual([access.anchors, access.users.size, access.certificateRole], [undefined, 0, undefined]);
  }));

test('its own certificate is made once, and again only when it is reached by other names', () =>
  check({}, {}, async (settings) => {
    const [first, second] = [await settings(), await settings()];
    assert.equal(thumbprintOf(second.keyPair), thumbprintOf(first.keyPair));
    const renamed = await settings({ hostnames: ['gateway.north'] });
    assert.notEqual(thumbprintOf(renamed.keyPair), thumbprintOf(first.keyPair));
    assert.match(first.keyPair.chain[0]?.subjectAltName ?? '', /URI:urn:skerry:north:hall/);
  }));

test('each of its processes is an application of its own at a port that follows, unless they share a certificate', async () => {
  const spec = { shards: 3, listen: { port: 4850 } };
  await check(spec, {}, async (settings) => {
    const all = await Promise.all([0, 1, 2].map((shard) => settings({}, shard)));
    assert.deepEqual(
      all.map(({ endpoint }) => [endpoint.port, endpoint.applicationUri]),
      [
        [4850, 'urn:skerry:north:hall'],
        [4851, 'urn:skerry:north:hall:2'],
        [4852, 'urn:skerry:north:hall:3'],
      ],
    );
    assert.equal(new Set(all.map(({ keyPair }) => thumbprintOf(keyPair))).size, 3);
    for (const { endpoint, keyPair } of all) assert.equal(applicationUriOf(keyPair), endpoint.applicationUri);
  });
  const { certificate, key } = await makePair('hall');
  const given = { ...spec, applicationUri: 'urn:test:hall', security: { certificateSecretName: 'own' } };
  await check(given, { 'tls.crt': certificate, 'tls.key': key }, async (settings) => {
    const { endpoint, keyPair } = await settings({}, 2);
    assert.deepEqual([endpoint.port, endpoint.applicationUri], [4852, applicationUriOf(keyPair)]);
  });
});

test('a certificate of its own that has expired is refused in words', async () => {
  const { certificate, key } = await makePair('old', { endedDaysAgo: 2 });
  const spec = { security: { certificateSecretName: 'own' } };
  await check(spec, { 'tls.crt': certificate, 'tls.key': key }, (settings) =>
    assert.rejects(settings(), /the certificate in Secret own expired at 2/),
  );
  const other = await makePair('other');
  await check(spec, { 'tls.crt': other.certificate, 'tls.key': key }, (settings) =>
    assert.rejects(settings(), /the certificate in Secret own is not that of the key/),
  );
  await check(spec, { 'tls.crt': certificate }, (settings) =>
    assert.rejects(settings(), /the certificate in Secret own needs a private key and a certificate/),
  );
});

test('passwords are taken as they are and as mosquitto_passwd writes them; one that is not there is named', async () => {
  const user = { name: 'olga', password: { name: 'people', key: 'olga' } };
  const hashed =
    '$7$101$5r24LvrthtQ5WHEE$wbhzF5L13zEb5Q0Huk8KrlybNeflnCHoYLT9ci4yBc78rxNkT4XdoUxJlidsNhHNxVk4VMMJLUZdv61j7eW47A==';
  for (const olga of ['change me', hashed])
    await check({ authentication: { users: [user] } }, { olga }, async (settings) => {
      const { passwords } = (await settings()).access;
      assert.equal(await passwords.isRight('olga', bytes('change me')), true);
      assert.equal(await passwords.isRight('olga', bytes('change you')), false);
    });
  await check({ authentication: { users: [user] } }, {}, (settings) =>
    assert.rejects(settings(), /Secret people has no olga/),
  );
});
