import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode } from '@skerry/base';
import fc from 'fast-check';
import type { ImageReference, Platform } from './contract.ts';
import { digestOf } from './digest.ts';
import { parseConfig, parseManifest } from './manifest.ts';
import { formatPlatform, selectPlatform } from './platform.ts';
import { formatReference, parseReference } from './reference.ts';

const HASH = `sha256:${'a'.repeat(64)}`;

const checkName = (name: string, full: string) => assert.equal(formatReference(parseReference(name)), full);
const checkBadName = (name: string) =>
  assert.throws(
    () => parseReference(name),
    (error) => hasCode(error, 'IMAGE_INVALID_REFERENCE'),
    name,
  );

test('a short name is one of Docker Hub', () => {
  checkName('web', 'docker.io/library/web:latest');
  checkName('team/web:1.2', 'docker.io/team/web:1.2');
  checkName('docker.io/web', 'docker.io/library/web:latest');
  checkName('index.docker.io/library/web', 'docker.io/library/web:latest');
});
test('the first part is a registry when it looks like a host', () => {
  checkName('localhost/web', 'localhost/web:latest');
  checkName('registry.example:5000/team/web', 'registry.example:5000/team/web:latest');
  checkName('[::1]:5000/web:v1', '[::1]:5000/web:v1');
  checkName('127.0.0.1:5000/web', '127.0.0.1:5000/web:latest');
});
test('a digest needs no tag, and may stand beside one', () => {
  checkName(`web@${HASH}`, `docker.io/library/web@${HASH}`);
  checkName(`web:1@${HASH}`, `docker.io/library/web:1@${HASH}`);
});
test('what is no name is refused', () => {
  for (const name of [
    '',
    'Web',
    'web:',
    'web@sha256:12',
    'web@md5:x',
    'a//b',
    'a/../b',
    '-web',
    'web:-',
    `web:${'x'.repeat(129)}`,
    'x'.repeat(300),
    'http://host/web',
    'host:99999999/web',
    'a b',
    'web\n',
    `web@${HASH}@${HASH}`,
  ]) {
    checkBadName(name);
  }
});

const part = fc.stringMatching(/^[a-z0-9]{1,8}([._-][a-z0-9]{1,4})?$/);
const reference: fc.Arbitrary<ImageReference> = fc
  .record({
    registry: fc.constantFrom('docker.io', 'localhost', 'r.example', '127.0.0.1:5000', '[::1]:80'),
    path: fc.array(part, { minLength: 2, maxLength: 4 }),
    tag: fc.option(fc.stringMatching(/^\w[\w.-]{0,20}$/), { nil: undefined }),
    digest: fc.option(fc.string().map(digestOf), { nil: undefined }),
  })
  .map(({ registry, path, tag, digest }) => ({
    registry,
    repository: path.join('/'),
    ...(digest === undefined ? { tag: tag ?? 'latest' } : tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  }));

test('a reference survives being written and read', () =>
  fc.assert(fc.property(reference, (image) => assert.deepEqual(parseReference(formatReference(image)), image))));

test('any text is a reference or is refused, and never leads out of its registry', () =>
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'grapheme' }), fc.stringMatching(/^[a-z./:@]{0,20}$/)), (name) => {
      try {
        const { repository } = parseReference(name);
        assert.doesNotMatch(repository, /^\/|\.\.|\/$|\/\/|[^a-z0-9._/-]/);
      } catch (error) {
        assert.ok(hasCode(error, 'IMAGE_INVALID_REFERENCE'), String(error));
      }
    }),
  ));

const described = (size = 3) => ({ mediaType: 'application/x', digest: HASH, size });
const checkManifest = (manifest: unknown, problem?: RegExp) => {
  const bytes = Buffer.from(typeof manifest === 'string' ? manifest : JSON.stringify(manifest));
  if (problem === undefined) return void parseManifest(bytes, 'image x');
  assert.throws(
    () => parseManifest(bytes, 'image x'),
    (error) => hasCode(error, 'IMAGE_INVALID_MANIFEST') && problem.test(error.message),
  );
};

test('manifests and indexes are read', () => {
  checkManifest({ schemaVersion: 2, config: described(), layers: [described(), described(0)] });
  checkManifest({
    schemaVersion: 2,
    manifests: [{ ...described(), platform: { os: 'linux', architecture: 'amd64' } }],
  });
});
test('what is no manifest is refused with the reason', () => {
  for (const text of ['', 'null', '[]', '"x"', '{', '<html>']) checkManifest(text, /not a JSON object/);
  checkManifest('['.repeat(100_000), /not a JSON object/);
  checkManifest({ schemaVersion: 1 }, /schemaVersion/);
  checkManifest({ schemaVersion: 2, __proto__: null, layers: {} }, /neither/);
  checkManifest({ schemaVersion: 2, config: described(), layers: [{ ...described(), digest: 'sha512:1' }] }, /digest/);
  checkManifest({ schemaVersion: 2, config: described(), layers: [{ ...described(), size: -1 }] }, /size/);
  checkManifest({ schemaVersion: 2, config: described(), layers: [{ ...described(), size: 2 ** 60 }] }, /size/);
  checkManifest({ schemaVersion: 2, config: described(), layers: [described(2 ** 40)] }, /exceed/);
  checkManifest({ schemaVersion: 2, config: described(2 ** 30), layers: [] }, /config exceeds/);
  checkManifest({ schemaVersion: 2, config: described(), layers: Array(501).fill(described()) }, /more than 500/);
});
test('any bytes are a manifest or are refused', () =>
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array(),
        fc.json().map((text) => Buffer.from(text)),
      ),
      (bytes) => {
        try {
          parseManifest(bytes, 'x');
        } catch (error) {
          assert.ok(hasCode(error, 'IMAGE_INVALID_MANIFEST'), String(error));
        }
      },
    ),
  ));

test('the config says how the image runs', () => {
  const config = {
    os: 'linux',
    architecture: 'arm64',
    rootfs: { diff_ids: ['sha256:1'] },
    config: { Entrypoint: ['/a'], Cmd: null, Env: ['A=1'], User: '', StopSignal: 'SIGQUIT', Volumes: { '/data': {} } },
  };
  assert.deepEqual(parseConfig(Buffer.from(JSON.stringify(config)), 'x'), {
    platform: { os: 'linux', architecture: 'arm64' },
    diffIds: ['sha256:1'],
    entrypoint: ['/a'],
    cmd: [],
    env: ['A=1'],
    volumes: ['/data'],
    stopSignal: 'SIGQUIT',
  });
  for (const bad of [{ Cmd: 'sh' }, { Env: [1] }, { Entrypoint: {} }]) {
    assert.throws(
      () => parseConfig(Buffer.from(JSON.stringify({ config: bad })), 'x'),
      (error) => hasCode(error, 'IMAGE_INVALID_MANIFEST'),
    );
  }
});

const ARM64: Platform = { os: 'linux', architecture: 'arm64', variant: 'v8' };
const checkPlatform = (wanted: Platform, offered: readonly string[], expected: string | undefined) => {
  const manifests = offered.map((text, index) => {
    const [os = '', architecture = '', variant] = text.split('/');
    const platform = { os, architecture, ...(variant === undefined ? {} : { variant }) };
    return { ...described(index), digest: digestOf(text), platform };
  });
  const select = () => selectPlatform({ kind: 'index', manifests }, wanted, 'image x');
  if (expected === undefined) assert.throws(select, (error) => hasCode(error, 'IMAGE_NO_PLATFORM'));
  else assert.equal(formatPlatform(select().platform ?? ARM64), expected);
};

test('each machine gets what is made for it', () => {
  const all = ['linux/amd64', 'linux/arm64', 'linux/arm/v7', 'windows/amd64', 'unknown/unknown'];
  checkPlatform({ os: 'linux', architecture: 'amd64' }, all, 'linux/amd64');
  checkPlatform(ARM64, all, 'linux/arm64');
  checkPlatform({ os: 'linux', architecture: 'arm', variant: 'v7' }, all, 'linux/arm/v7');
  checkPlatform({ os: 'linux', architecture: 'riscv64' }, all, undefined);
});
test('the newest generation that the machine can run is best', () => {
  checkPlatform({ os: 'linux', architecture: 'arm', variant: 'v7' }, ['linux/arm/v5', 'linux/arm/v6'], 'linux/arm/v6');
  checkPlatform(ARM64, ['linux/arm64/v9', 'linux/arm64/v8'], 'linux/arm64/v8');
  checkPlatform({ os: 'linux', architecture: 'amd64' }, ['linux/amd64/v3'], undefined);
});
