import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { systemClock } from '@skerry/base';
import type { CliContext } from '../context.ts';
import { install } from './install.ts';

const work = mkdtempSync(join(tmpdir(), 'skerry-install-'));
after(() => rmSync(work, { recursive: true, force: true }));

const root = join(work, 'root');
const PREFIX = '/opt/skerry';
const installed = (part: string) => join(root, PREFIX, part);

/** An unpacked release whose `bin/node` is a small program of the host. */
function unpack(version: string): string {
  const release = join(work, version);
  for (const folder of ['bin', 'lib', 'licenses', 'systemd']) mkdirSync(join(release, folder), { recursive: true });
  for (const file of ['skerry', 'LICENSE', 'NOTICE', 'licenses/node.txt', 'lib/edge.cjs'])
    writeFileSync(join(release, file), version);
  writeFileSync(join(release, 'lib', `${version}.cjs`), '');
  writeFileSync(join(release, 'systemd/skerry-edge.service'), 'ExecStart=@PREFIX@/skerry edge @FLAGS@\n');
  copyFileSync('/bin/sleep', join(release, 'bin/node'));
  return release;
}

/** Installs a release and looks at what is there then. */
function check(version: string): void {
  const context: CliContext = {
    version,
    command: 'skerry',
    lib: join(unpack(version), 'lib'),
    node: process.execPath,
    defaultDataDir: work,
    defaultKeyDir: work,
    environment: {},
    clock: systemClock,
    print: () => {},
    say: () => {},
  };
  install(context, 'edge', ['--name=edge-1'], { prefix: PREFIX, root, start: true });
  for (const file of ['skerry', 'LICENSE', 'lib/edge.cjs'])
    assert.equal(readFileSync(installed(file), 'utf8'), version);
  assert.deepEqual(readdirSync(installed('')).sort(), [
    'LICENSE',
    'NOTICE',
    'bin',
    'lib',
    'licenses',
    'skerry',
    'systemd',
  ]);
  assert.deepEqual(readdirSync(installed('lib')).sort(), [`${version}.cjs`, 'edge.cjs']);
}

test('a release is installed over one that runs, whole and with nothing of the one before', async () => {
  check('1.0.0');
  const running = spawn(installed('bin/node'), ['60'], { stdio: 'ignore' });
  try {
    await once(running, 'spawn');
    check('1.1.0');
    assert.equal(running.exitCode, null);
  } finally {
    running.kill('SIGKILL');
    await once(running, 'exit');
  }
});
