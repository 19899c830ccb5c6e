import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { AuditEvent } from '@skerry/api';
import { systemClock } from '@skerry/base';
import { newPrivateKey } from '../pki/index.ts';
import {
  type AuditLogOptions,
  type AuditVerdict,
  isAudited,
  keySigner,
  openAuditLog,
  verifyAuditLog,
} from './index.ts';

const signer = keySigner(newPrivateKey());
const event = (path: string): AuditEvent => ({
  time: '2026-11-24T08:00:00.000Z',
  user: 'alice',
  verb: 'get',
  path,
  code: 200,
});

async function inDirectory(run: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'skerry-audit-'));
  try {
    await run(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function write(directory: string, count: number, options: Partial<AuditLogOptions> = {}): Promise<void> {
  const log = await openAuditLog({ directory, signer, clock: systemClock, ...options });
  for (let i = 0; i < count; i++) {
    log.append(event(`/e/${i}`));
    if (options.maxFileBytes) await log.flush();
  }
  await log.close();
}

const FILE = 'audit-0000000001.log';

/** Writes five lines, lets the case alter them, and compares where the verifier says it happened. */
function check(alter: (lines: string[]) => readonly string[], expected: Partial<AuditVerdict>): Promise<void> {
  return inDirectory(async (directory) => {
    await write(directory, 5);
    const path = join(directory, FILE);
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
    writeFileSync(path, `${alter(lines).join('\n')}\n`);
    const verdict = await verifyAuditLog(directory, signer);
    for (const [key, value] of Object.entries(expected))
      assert.deepEqual(verdict[key as keyof AuditVerdict], value, JSON.stringify(verdict));
  });
}

const edit = (line: string | undefined): string => (line ?? '').replace('alice', 'mallory');

test('an untouched log is whole', () =>
  check((lines) => lines, { ok: true, lines: 5, unanchored: 0 } as Partial<AuditVerdict>));
test('an edited line is named', () =>
  check((lines) => lines.map((line, i) => (i === 2 ? edit(line) : line)), {
    ok: false,
    file: FILE,
    line: 3,
    problem: 'edited',
  } as Partial<AuditVerdict>));
test('an edited last line is named', () =>
  check((lines) => [...lines.slice(0, 4), edit(lines[4])], {
    ok: false,
    line: 5,
    problem: 'edited',
  } as Partial<AuditVerdict>));
test('a removed line is named by its place', () =>
  check((lines) => lines.toSpliced(2, 1), { ok: false, line: 3, problem: 'missing lines' } as Partial<AuditVerdict>));
test('lines that changed places are named', () =>
  check((lines) => [lines[0], lines[2], lines[1], lines[3], lines[4]].map(String), {
    ok: false,
    line: 2,
  } as Partial<AuditVerdict>));
test('a line that stands twice is out of order', () =>
  check((lines) => [...lines.slice(0, 2), ...lines.slice(1)], {
    ok: false,
    line: 3,
    problem: 'out of order',
  } as Partial<AuditVerdict>));
test('a log that was cut off at the end is found out', () =>
  check((lines) => lines.slice(0, 3), { ok: false, line: 4, problem: 'cut off at the end' } as Partial<AuditVerdict>));
test('a log that was cut off at the start is found out', () =>
  check((lines) => lines.slice(1), { ok: false, line: 1, problem: 'missing lines' } as Partial<AuditVerdict>));
test('garbage in a line is named', () =>
  check((lines) => lines.with(1, 'garbage'), { ok: false, line: 2, problem: 'edited' } as Partial<AuditVerdict>));

test('a head that someone else signed, or none, is found out', () =>
  inDirectory(async (directory) => {
    await write(directory, 2);
    const other = await verifyAuditLog(directory, keySigner(newPrivateKey()));
    assert.deepEqual(other, { ok: false, file: 'head.json', line: 1, problem: 'head not signed' });
    rmSync(join(directory, 'head.json'));
    assert.deepEqual(await verifyAuditLog(directory, signer), {
      ok: false,
      file: 'head.json',
      line: 1,
      problem: 'head missing',
    });
  }));

test('a removed file is found out, whichever it is', () =>
  inDirectory(async (directory) => {
    await write(directory, 6, { maxFileBytes: 1 });
    const files = readdirSync(directory).filter((name) => name.endsWith('.log'));
    assert.equal(files.length, 6);
    for (const name of files) {
      const path = join(directory, name);
      const text = readFileSync(path);
      rmSync(path);
      assert.equal((await verifyAuditLog(directory, signer)).ok, false, name);
      writeFileSync(path, text);
    }
    assert.equal((await verifyAuditLog(directory, signer)).ok, true);
  }));

test('the chain goes on over restarts and rotation, and old files go', () =>
  inDirectory(async (directory) => {
    for (let i = 0; i < 4; i++) await write(directory, 5, { maxFileBytes: 400, maxFiles: 3 });
    const files = readdirSync(directory).filter((name) => name.endsWith('.log'));
    assert.ok(files.length <= 3, files.join());
    assert.ok(!files.includes(FILE));
    const verdict = await verifyAuditLog(directory, signer);
    assert.ok(verdict.ok);
    assert.equal(verdict.end.seq, 21);
  }));

test('lines that a crash left beyond the head are kept and said so; a torn last line is dropped', () =>
  inDirectory(async (directory) => {
    const head = join(directory, 'head.json');
    await write(directory, 2);
    const before = readFileSync(head);
    await write(directory, 3);
    writeFileSync(head, before);
    appendFileSync(join(directory, FILE), '{"seq":6,"pr');
    await write(directory, 1);
    const verdict = await verifyAuditLog(directory, signer);
    assert.ok(verdict.ok, JSON.stringify(verdict));
    assert.equal(verdict.lines, 7);
    assert.match(readFileSync(join(directory, FILE), 'utf8'), /"verb":"recovered".*"reason":"3 lines"/);
  }));

test('an altered log is set aside at the next start, and the new chain begins with a line that says so', () =>
  inDirectory(async (directory) => {
    await write(directory, 3);
    const path = join(directory, FILE);
    writeFileSync(path, readFileSync(path, 'utf8').replace('alice', 'mallory'));
    await write(directory, 1);
    const verdict = await verifyAuditLog(directory, signer);
    assert.ok(verdict.ok);
    assert.equal(verdict.lines, 2);
    const names = readdirSync(directory);
    assert.ok(names.some((name) => name.startsWith(`${FILE}.altered-`)));
    assert.match(
      readFileSync(join(directory, 'audit-0000000004.log'), 'utf8'),
      /"verb":"altered","path":"audit-0000000001.log:1"/,
    );
  }));

test('over the bound events are dropped, counted, and the count is written down', () =>
  inDirectory(async (directory) => {
    const log = await openAuditLog({ directory, signer, clock: systemClock, maxPendingBytes: 300 });
    for (let i = 0; i < 10; i++) log.append(event(`/e/${i}`));
    await log.flush();
    log.append(event('/last'));
    await log.close();
    const text = readFileSync(join(directory, FILE), 'utf8');
    assert.match(text, /"verb":"dropped".*"reason":"\d events"/);
    assert.match(text, /\/last/);
    assert.equal((await verifyAuditLog(directory, signer)).ok, true);
  }));

test('heartbeats are not written down, refusals always are', () => {
  const at = (verb: string, path: string, code = 200) => isAudited({ verb, path, code });
  const lease = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/a';
  assert.equal(at('update', lease), false);
  assert.equal(at('update', lease, 403), true);
  assert.equal(at('patch', '/api/v1/nodes/a/status'), false);
  assert.equal(at('create', '/api/v1/namespaces/x/events'), false);
  assert.equal(at('delete', '/api/v1/namespaces/x/events/y'), true);
  assert.equal(at('patch', '/api/v1/namespaces/x/pods/events'), true);
  assert.equal(at('get', '/readyz'), false);
});
