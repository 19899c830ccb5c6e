import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { messageOf } from '@skerry/base';
import { formatKubeconfig, type LoadKubeconfigOptions, loadKubeconfig } from './kubeconfig.ts';

/** Loads a folder with `files`, of which `config` is the kubeconfig. */
async function check(
  files: Readonly<Record<string, string>>,
  options: LoadKubeconfigOptions,
  expected: object | RegExp,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'skerry-kubeconfig-'));
  try {
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    const loading = loadKubeconfig(join(folder, 'config'), options);
    if (expected instanceof RegExp) await assert.rejects(loading, (error) => expected.test(messageOf(error)));
    else assert.deepEqual(await loading, expected);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const server = 'https://127.0.0.1:6443';

test('what we write, we read', () =>
  check(
    { config: formatKubeconfig({ server, ca: 'CA', cert: 'CERT', key: 'KEY', name: 'islet', namespace: 'shop' }) },
    {},
    { connection: { server, ca: 'CA', cert: 'CERT', key: 'KEY' }, namespace: 'shop', context: 'islet' },
  ));

test('paths are relative to the kubeconfig, and a token may stand in a file', () =>
  check(
    {
      config: JSON.stringify({
        clusters: [{ name: 'c', cluster: { server, 'certificate-authority': 'ca.crt' } }],
        users: [{ name: 'u', user: { tokenFile: 'token' } }],
        contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      }),
      'ca.crt': 'CA',
      token: 'secret\n',
    },
    { context: 'x' },
    { connection: { server, ca: 'CA', token: 'secret' }, namespace: 'default', context: 'x' },
  ));

test('YAML is read by the parser that is given', () =>
  check(
    { config: 'clusters: …' },
    {
      parseYaml: () => ({
        'current-context': 'x',
        clusters: [{ name: 'c', cluster: { server } }],
        contexts: [{ name: 'x', context: { cluster: 'c', user: 'nobody' } }],
      }),
    },
    { connection: { server }, namespace: 'default', context: 'x' },
  ));

test('YAML without a parser is refused', () => check({ config: 'a: b' }, {}, /not JSON, and YAML cannot be read here/));

test('a context that is not there is named', () => check({ config: '{}' }, { context: 'x' }, /no context "x"/));

test('a missing file is an error about the file', () => check({}, {}, /reading kubeconfig/));

test('a credential plugin is refused, not ignored', () =>
  check(
    {
      config: JSON.stringify({
        'current-context': 'x',
        clusters: [{ name: 'c', cluster: { server } }],
        users: [{ name: 'u', user: { exec: { command: 'aws' } } }],
        contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      }),
    },
    {},
    /user "u" needs a credential plugin/,
  ));
