import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Clock, silentLogger, systemClock } from '@skerry/base';
import { eventually } from '@skerry/testkit/processes';
import { EnvironmentStore, environmentDirectory } from './environments.ts';
import { FifoPool } from './fifo.ts';
import { listProcesses, readBootId, readStat } from './identity.ts';
import { Keeper } from './keeper.ts';
import type { ProcessRecord, StartRequest } from './protocol.ts';
import { RecordStore, type StoredRecord } from './records.ts';

/** A disk that is full whenever `isFull` says so. */
class FullDisk extends RecordStore {
  isFull = false;
  onRefusal: () => void = () => {};
  onWrite: (record: StoredRecord) => void = () => {};

  override write(record: StoredRecord): void {
    if (this.isFull) {
      this.onRefusal();
      throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    }
    super.write(record);
    this.onWrite(record);
  }
}

/** What the keeper puts off for later comes at once, and keeps this process alive. */
const hasty: Clock = { ...systemClock, after: (_delayMs, callback) => systemClock.after(1, callback) };

interface Scene {
  readonly directory: string;
  readonly disk: FullDisk;
  readonly exited: Promise<ProcessRecord>;
  readonly open: () => Keeper;
  readonly request: (id: string, script: string) => StartRequest;
}

async function check(story: (scene: Scene) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'skerry-keeper-'));
  const environments = new EnvironmentStore({ supervisor: directory });
  const disk = new FullDisk(join(directory, 'processes'), environments);
  const { promise: exited, resolve: onExit } = Promise.withResolvers<ProcessRecord>();
  const log = silentLogger;
  const fifos = new FifoPool(join(directory, 'spare'));
  const self = { node: process.execPath, options: [], main: '' };
  const shared = { records: disk, fifos, cgroups: undefined, bootId: readBootId(), clock: hasty, log, self };
  const keepers: Keeper[] = [];
  const open = () => {
    const keeper = new Keeper({ ...shared, onExit });
    keepers.push(keeper);
    return keeper;
  };
  const request = (id: string, script: string): StartRequest => ({
    id,
    labels: {},
    argv: ['sh', '-c', script],
    env: { PATH: '/usr/bin:/bin' },
    log: { path: join(directory, 'logs', `${id}.log`), maxBytes: 1 << 20, maxFiles: 2 },
  });
  try {
    await story({ directory, disk, exited, open, request });
  } finally {
    for (const keeper of keepers) keeper.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

test('an end that the disk refuses is told all the same, and whoever kills is answered', () =>
  check(async ({ disk, exited, open, request }) => {
    const keeper = open();
    await keeper.start(request('a', 'sleep 1000'));
    disk.isFull = true;
    assert.equal((await keeper.kill('a')).exit?.code, 137);
    assert.equal((await exited).exit?.code, 137);
    keeper.remove('a');
    assert.deepEqual(keeper.list(), []);
  }));

test('an end that the disk refused is written once there is room', () =>
  check(async ({ disk, open, request }) => {
    const keeper = open();
    await keeper.start(request('a', 'sleep 1000'));
    disk.isFull = true;
    const { promise: written, resolve } = Promise.withResolvers<StoredRecord>();
    disk.onWrite = resolve;
    await keeper.kill('a');
    disk.isFull = false;
    assert.equal((await written).exit?.code, 137);
  }));

test('a start whose record cannot be written leaves nothing running', () =>
  check(async ({ disk, open, request }) => {
    const keeper = open();
    disk.isFull = true;
    let children = 0;
    disk.onRefusal = () => {
      children = ownChildren();
    };
    await assert.rejects(keeper.start(request('a', 'sleep 1000')), /no space left/);
    assert.equal(children, 1);
    assert.equal(ownChildren(), 0);
    disk.isFull = false;
    await keeper.start(request('a', 'sleep 1000'));
    await keeper.kill('a');
  }));

test('a start whose log cannot be made starts nothing', () =>
  check(async ({ directory, open, request }) => {
    const keeper = open();
    writeFileSync(join(directory, 'logs'), 'in the way');
    await assert.rejects(keeper.start(request('a', 'sleep 1000')), /logs/);
    assert.equal(ownChildren(), 0);
    assert.deepEqual(keeper.list(), []);
  }));

test('a record that cannot be taken over does not end the others, nor does a lost log', () =>
  check(async ({ directory, disk, open, request }) => {
    await open().start(request('good', 'sleep 1000'));
    rmSync(join(directory, 'logs'), { recursive: true });
    writeFileSync(join(directory, 'logs'), 'in the way');
    mkdirSync(disk.directoryOf('bad'));
    writeFileSync(join(disk.directoryOf('bad'), 'record.json'), '{"id":"bad"}');
    const next = open();
    assert.deepEqual(
      next.list().map(({ id, exit }) => ({ id, exit })),
      [{ id: 'good', exit: undefined }],
    );
    await next.kill('good');
  }));

test('a further command gets the environment of the start, whatever the process makes of its own', () =>
  check(async ({ directory, disk, open, request }) => {
    const ready = join(directory, 'ready');
    const script = `exec env -i LD_PRELOAD=/evil.so PATH=/evil /bin/sh -c 'echo > ${ready}; /bin/sleep 1000; :'`;
    const { id } = await open().start(request('a', script));
    await eventually('its environment is another', () => existsSync(ready));
    const next = open();
    assert.deepEqual(next.launchBeside(id, { command: ['id'] }).env, { PATH: '/usr/bin:/bin' });
    await next.kill(id);
    assert.equal('env' in (disk.readAll(() => {})[0]?.launch ?? {}), false);
  }));

test('the environment of a start is on no disk, and in no memory once its process has ended', () =>
  check(async ({ directory, open, request }) => {
    const keeper = open();
    await keeper.start({ ...request('a', 'sleep 1000'), env: { PATH: '/usr/bin:/bin', TOKEN: 'canary' } });
    for (const path of filesBelow(directory)) assert.doesNotMatch(readFileSync(path, 'latin1'), /canary/, path);
    assert.equal(open().launchBeside('a', { command: ['id'] }).env['TOKEN'], 'canary');
    await keeper.kill('a');
    assert.deepEqual(inMemory(), []);
  }));

test('what is left in memory of processes that ended unseen goes at the next start of any supervisor', () =>
  inMemoryOfItsOwn((directory) => {
    const gone = { pid: process.pid, startTime: '1' };
    const here = { pid: process.pid, startTime: readStat(process.pid)?.startTime ?? '' };
    const store = (supervisor: string) => new EnvironmentStore({ supervisor, directory });
    store('one').write({ id: 'gone', main: gone }, {});
    store('one').write({ id: 'here', main: here }, { TOKEN: 'canary' });
    writeFileSync(join(directory, 'junk'), '{}');
    store('another');
    assert.equal(readdirSync(directory).length, 1);
    assert.equal(store('another').read('here'), undefined);
    assert.deepEqual(store('one').read('here'), { TOKEN: 'canary' });
  }));

test('whatever somebody else has put in its place, a supervisor starts, and tells it no secret', () =>
  inMemoryOfItsOwn((directory) => {
    const main = { pid: process.pid, startTime: readStat(process.pid)?.startTime ?? '' };
    const aside = `${directory}-aside`;
    for (const make of [
      () => mkdirSync(directory, { mode: 0o777 }),
      () => writeFileSync(directory, 'junk'),
      () => execFileSync('mkfifo', [directory]),
      () => {
        mkdirSync(aside);
        symlinkSync(aside, directory);
      },
    ]) {
      rmSync(directory, { recursive: true, force: true });
      make();
      chmodSync(directory, 0o777);
      const store = new EnvironmentStore({ supervisor: 'one', directory });
      store.write({ id: 'a', main }, { TOKEN: 'canary' });
      assert.deepEqual(store.read('a'), { TOKEN: 'canary' });
      assert.equal(lstatSync(directory).mode & 0o777, 0o700);
    }
    assert.deepEqual(readdirSync(aside), []);
    rmSync(aside, { recursive: true });
  }));

function inMemoryOfItsOwn(story: (directory: string) => void): void {
  const directory = join('/dev/shm', `skerry-test-${process.pid}`);
  try {
    story(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function filesBelow(directory: string): string[] {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
}

/** What of our canaries stands in the memory of this user. */
function inMemory(): string[] {
  const directory = environmentDirectory();
  // Supervisors of other tests are at work there.
  return readdirSync(directory).flatMap((name) => {
    try {
      return readFileSync(join(directory, name), 'utf8').match(/canary/g) ?? [];
    } catch {
      return [];
    }
  });
}

function ownChildren(): number {
  return listProcesses().filter(({ parent, state }) => parent === process.pid && state !== 'Z').length;
}
