import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { parseReference } from '@skerry/workloads/images';
import { credentialsIn } from './docker-config.ts';
import { imagesIn, objectsIn, readManifests } from './manifest-files.ts';

const dir = mkdtempSync(join(tmpdir(), 'skerry-manifests-'));
after(() => rmSync(dir, { recursive: true, force: true }));

function check(text: string, expected: readonly string[]): void {
  assert.deepEqual(
    objectsIn({ name: 'all.yaml', text }).flatMap((object) => imagesIn(object)),
    expected,
  );
}

test('images are found in every container of every template, once for each object', () => {
  const containers = 'containers: [{name: a, image: web:1}, {name: b, image: web:1}]';
  check(`{apiVersion: v1, kind: Pod, spec: {${containers}, initContainers: [{name: c, image: init:2}]}}`, [
    'web:1',
    'init:2',
  ]);
  const template = `template: {spec: {${containers}}}`;
  check(`{apiVersion: apps/v1, kind: Deployment, spec: {${template}}}`, ['web:1']);
  check(`{apiVersion: batch/v1, kind: CronJob, spec: {jobTemplate: {spec: {${template}}}}}`, ['web:1']);
});

test('lists and files of several documents are taken apart', () => {
  const pod = (image: string) => `{apiVersion: v1, kind: Pod, spec: {containers: [{image: "${image}"}]}}`;
  check(`${pod('a:1')}\n---\n# nothing\n---\n${pod('b:1')}\n`, ['a:1', 'b:1']);
  check(`{apiVersion: v1, kind: List, items: [${pod('a:1')}, ${pod('b:1')}]}`, ['a:1', 'b:1']);
});

test('an ImagePull names images, a program of the host is none', () => {
  check('{apiVersion: apps.skerry.io/v1alpha1, kind: ImagePull, spec: {images: [a:1, b:2]}}', ['a:1', 'b:2']);
  check('{apiVersion: v1, kind: Pod, spec: {containers: [{image: host}, {name: none}]}}', []);
});

test('what is no manifest is refused with the name of its file', () => {
  const refused = (text: string, problem: RegExp) =>
    assert.throws(() => objectsIn({ name: 'all.yaml', text }), problem);
  refused('a: [', /^CodedError: all\.yaml: /);
  refused('just words', /all\.yaml: holds something without apiVersion and kind/);
  refused('{kind: Pod}', /without apiVersion and kind/);
});

test('of a folder all manifests in it are read, in order of name', () => {
  mkdirSync(join(dir, 'deploy', 'deeper'), { recursive: true });
  for (const name of ['b.yaml', 'a.json', 'c.yml', 'notes.txt', 'deeper/d.yaml'])
    writeFileSync(join(dir, 'deploy', name), name);
  assert.deepEqual(
    readManifests([join(dir, 'deploy')]).map(({ name }) => name),
    ['a.json', 'b.yaml', 'c.yml'],
  );
  assert.throws(() => readManifests([join(dir, 'nowhere')]), /nowhere: cannot be read/);
});

test('credentials are those of the registry, and of Docker Hub under its old name', () => {
  const auth = (text: string) => ({ auth: Buffer.from(text).toString('base64') });
  const config = { auths: { 'registry.example:5000': auth('me:a:b'), 'https://index.docker.io/v1/': auth('hub:x') } };
  const found = (image: string) => credentialsIn(config, parseReference(image));
  assert.deepEqual(found('registry.example:5000/web:1'), { username: 'me', password: 'a:b' });
  assert.deepEqual(found('web'), { username: 'hub', password: 'x' });
  assert.equal(found('other.example/web'), undefined);
  assert.equal(credentialsIn({}, parseReference('web')), undefined);
});
