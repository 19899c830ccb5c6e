import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IMAGE_REGISTRY, type ImageRegistry, type ImageRegistrySpec } from '../image-kinds/index.ts';
import { rulesOf } from './registry-rules.ts';

const PEM = '-----BEGIN CERTIFICATE-----';
const caBundle = Buffer.from(PEM).toString('base64');

function object(name: string, spec: ImageRegistrySpec): ImageRegistry {
  const { group, version, kind } = IMAGE_REGISTRY;
  return { apiVersion: `${group}/${version}`, kind, metadata: { name }, spec };
}

test('a registry that nothing is said about is asked whichever way works, with all the speed there is', () => {
  const rules = rulesOf([]);
  assert.deepEqual(rules.settings, {});
  assert.equal(rules.wayOf('docker.io'), 'Auto');
  assert.equal(rules.rateOf('docker.io'), undefined);
});

test('mirrors, trust, way and rate come from the object that names the host', () => {
  const mirrors = [
    { url: 'https://mirror.example:5000/cache', caBundle },
    { url: 'http://plain.example', plainHTTP: true },
  ];
  const rules = rulesOf([
    object('hub', { host: 'docker.io', mirrors, pull: 'ThroughCloud', maxBytesPerSecond: '512Ki' }),
    object('lab', { host: 'lab.example', plainHTTP: false, caBundle, pull: 'Direct', maxBytesPerSecond: 1000 }),
  ]);
  assert.deepEqual(rules.settings, {
    'mirror.example:5000': { ca: PEM },
    'plain.example': { plainHttp: true },
    'docker.io': { mirrors: mirrors.map(({ url }) => url) },
    'lab.example': { ca: PEM, plainHttp: false },
  });
  assert.deepEqual([rules.wayOf('docker.io'), rules.wayOf('lab.example')], ['ThroughCloud', 'Direct']);
  assert.deepEqual([rules.rateOf('docker.io'), rules.rateOf('lab.example')], [524_288, 1000]);
});

test('of two objects for one host the first by name counts', () => {
  const rules = rulesOf([object('b', { host: 'r', pull: 'Direct' }), object('a', { host: 'r', pull: 'ThroughCloud' })]);
  assert.equal(rules.wayOf('r'), 'ThroughCloud');
});

test('a rate of nothing is no rate', () => {
  const rules = rulesOf([object('a', { host: 'r', maxBytesPerSecond: '0' })]);
  assert.equal(rules.rateOf('r'), undefined);
});
