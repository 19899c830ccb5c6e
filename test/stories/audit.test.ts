/** The audit log shows whether it was tampered with: an edited line, a cut end, a forged head. The cloud alone, without nodes and pods. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type CommandResult, TestCloud } from '@skerry/testkit/processes';

let cloud: TestCloud;
let whole: string;

before(async () => {
  cloud = await TestCloud.start();
  for (const name of ['one', 'two', 'three']) await cloud.kubectl(['create', 'configmap', name]);
});
after(() => cloud?.[Symbol.asyncDispose]());

function verify(...args: readonly string[]): Promise<CommandResult> {
  return cloud.skerry(['audit', 'verify', '--data-dir', cloud.dir, ...args]);
}

const folder = () => join(cloud.dir, 'cloud', 'audit');

/** The one file that so few requests fill. */
function logFile(): string {
  const [name = '', ...others] = readdirSync(folder()).filter((each) => each !== 'head.json');
  assert.deepEqual(others, []);
  return join(folder(), name);
}

/** Changes the log, expects to be told where, and puts it back. */
async function checkAltered(alter: (lines: string[]) => readonly string[], expected: RegExp): Promise<void> {
  writeFileSync(
    logFile(),
    alter(whole.trimEnd().split('\n'))
      .map((line) => `${line}\n`)
      .join(''),
  );
  const { code, stderr } = await verify();
  writeFileSync(logFile(), whole);
  assert.equal(code, 1);
  assert.match(stderr, expected);
}

test('it is whole while the cloud runs, and when it has stopped', async () => {
  const running = await verify();
  assert.equal(running.code, 0, running.stderr);
  assert.match(running.stdout, /is whole: \d+ lines/);
  await cloud.process.stop();
  const stopped = JSON.parse((await verify('-o', 'json')).stdout) as { readonly ok: boolean; readonly lines: number };
  assert.ok(stopped.ok);
  whole = readFileSync(logFile(), 'utf8');
  assert.equal(whole.trimEnd().split('\n').length, stopped.lines);
  assert.match(whole, /configmaps/);
});

test('an edited line is named', () =>
  checkAltered((lines) => lines.with(3, (lines[3] ?? '').replace('"user"', '"User"')), /altered: .*, line 4: edited/));

test('a removed line is named', () => checkAltered((lines) => lines.toSpliced(2, 1), /line 3: missing lines/));

test('two lines that changed places are named', () =>
  checkAltered((lines) => lines.with(1, lines[2] ?? '').with(2, lines[1] ?? ''), /line 2: missing lines/));

test('a cut end is noticed, by whole lines or in the middle of one', async () => {
  await checkAltered((lines) => lines.slice(0, -2), /cut off at the end/);
  truncateSync(logFile(), whole.length - 10);
  const { code, stderr } = await verify();
  writeFileSync(logFile(), whole);
  assert.equal(code, 1);
  assert.match(stderr, /line \d+: (?:cut off at the end|edited)/);
});

test('a head that the cloud did not sign is refused', async () => {
  const file = join(folder(), 'head.json');
  const head = readFileSync(file, 'utf8');
  writeFileSync(
    file,
    head.replace(/\d/, (digit) => String((Number(digit) + 1) % 10)),
  );
  const { code, stderr } = await verify();
  writeFileSync(file, head);
  assert.equal(code, 1);
  assert.match(stderr, /head\.json, line 1: head not signed/);
});

test('the cloud itself notices when it starts, sets the altered log aside and goes on with a new one', async () => {
  writeFileSync(
    logFile(),
    whole.replace('"one"', '"0ne"').replace('/one', '/0ne').replace('kubernetes-admin', 'somebody-else'),
  );
  await cloud.process.start();
  assert.match(cloud.process.readLog(), /audit log was altered/);
  await cloud.process.stop();
  assert.ok(readdirSync(folder()).some((name) => name.includes('.altered-')));
  const { code, stderr } = await verify();
  assert.equal(code, 0, stderr);
});

test('where there is no cloud, it says so', async () => {
  const { code, stderr } = await cloud.skerry(['audit', 'verify', '--data-dir', join(cloud.dir, 'nowhere')]);
  assert.equal(code, 1);
  assert.match(stderr, /found no cloud at/);
});
