import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { openCgroups } from './cgroup.ts';
import { LineSplitter, LogWriter, MAX_LINE_BYTES, stamper } from './cri-log.ts';
import { descendantsOf, identify, isAlive, readStat } from './identity.ts';
import type { ResourceLimits } from './protocol.ts';
import { encodeFrame, encodeJson, FrameDecoder, MAX_FRAME_BYTES } from './protocol.ts';

async function within(story: (directory: string) => Promise<void> | void): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'skerry-parts-'));
  try {
    await story(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Splits text that arrives in these pieces and shows the lines, with `T` for the time. */
function check(pieces: readonly string[], expected: readonly string[]): void {
  const splitter = new LineSplitter('stdout');
  const lines = pieces.flatMap((piece) => splitter.push(Buffer.from(piece), () => 'T'));
  lines.push(...splitter.finish(() => 'T'));
  assert.deepEqual(lines.map(String), expected);
}

test('lines are cut at their newlines, whatever the pieces they arrive in', () => {
  check(['a\nb\n'], ['T stdout F a\n', 'T stdout F b\n']);
  check(['a', 'b', '\n\n'], ['T stdout F ab\n', 'T stdout F \n']);
  check(['end'], ['T stdout P end\n']);
});

test('a line that is too long is cut into partial ones', () => {
  const long = 'x'.repeat(MAX_LINE_BYTES + 1);
  check([`${long}\n`], [`T stdout P ${'x'.repeat(MAX_LINE_BYTES)}\n`, 'T stdout F x\n']);
});

test('Invariant: no byte is lost or moved, however output is cut into pieces', () => {
  fc.assert(
    fc.property(fc.array(fc.stringMatching(/^[a-z\n]{0,20}$/), { maxLength: 20 }), (pieces) => {
      const splitter = new LineSplitter('stderr');
      const lines = pieces.flatMap((piece) => splitter.push(Buffer.from(piece), () => 'T'));
      lines.push(...splitter.finish(() => 'T'));
      const text = lines.map((line) =>
        String(line)
          .replace(/^T stderr F /, '')
          .replace(/^T stderr P (.*)\n$/s, '$1'),
      );
      assert.equal(text.join(''), pieces.join(''));
    }),
  );
});

test('times are told apart within a millisecond, and grow', () => {
  const stamp = stamper(() => Date.UTC(2026, 0, 1));
  assert.deepEqual([stamp(), stamp()], ['2026-01-01T00:00:00.000000000Z', '2026-01-01T00:00:00.000000001Z']);
});

test('a log is rotated by size and kept by count', () =>
  within(async (directory) => {
    const path = join(directory, '0.log');
    const writer = new LogWriter({ path, maxBytes: 200, maxFiles: 3 }, () => 0);
    for (let line = 0; line < 20; line++) writer.append('stdout', Buffer.from(`line ${line}\n`));
    await writer.close();
    const text = [`${path}.2`, `${path}.1`, path].map((file) => readFileSync(file, 'utf8'));
    for (const one of text) assert.ok(one.length <= 200, `${one.length} bytes`);
    assert.equal(existsSync(`${path}.3`), false);
    assert.match(text.at(-1) ?? '', /line 19\n$/);
    const numbers =
      text
        .join('')
        .match(/line (\d+)/g)
        ?.map((word) => Number(word.slice(5))) ?? [];
    assert.deepEqual(
      numbers,
      Array.from({ length: numbers.length }, (_, index) => 20 - numbers.length + index),
    );
  }));

test('a log whose directory is gone at rotation is made anew', () =>
  within(async (directory) => {
    const path = join(directory, 'pod', '0.log');
    const writer = new LogWriter({ path, maxBytes: 60, maxFiles: 2 }, () => 0);
    writer.append('stdout', Buffer.from('before\n'));
    rmSync(join(directory, 'pod'), { recursive: true });
    writer.append('stdout', Buffer.from('after\n'));
    await writer.close();
    assert.match(readFileSync(path, 'utf8'), /after\n$/);
  }));

test('a log that cannot be rotated grows on', () =>
  within(async (directory) => {
    const path = join(directory, '0.log');
    mkdirSync(`${path}.1`);
    const writer = new LogWriter({ path, maxBytes: 60, maxFiles: 2 }, () => 0);
    for (let line = 0; line < 3; line++) writer.append('stdout', Buffer.from(`line ${line}\n`));
    await writer.close();
    assert.equal(
      readFileSync(path, 'utf8')
        .match(/line \d/g)
        ?.join(),
      'line 0,line 1,line 2',
    );
  }));

test('a log that cannot be opened loses its lines, counted and told once', () =>
  within(async (directory) => {
    const path = join(directory, 'pod', '0.log');
    writeFileSync(join(directory, 'pod'), 'in the way');
    const told: unknown[] = [];
    const log = { warn: (facts: object, text: string) => told.push({ text, ...facts }) };
    const writer = new LogWriter({ path, maxBytes: 60, maxFiles: 2 }, () => 0, log);
    for (let line = 0; line < 5; line++) writer.append('stdout', Buffer.from('lost\n'));
    await writer.close();
    assert.equal(told.length, 2);
    assert.deepEqual(told[1], { text: 'log lines lost', path, lines: 5 });
  }));

test('Invariant: frames come out as they went in, however the bytes are cut', () => {
  const frames = fc.array(fc.tuple(fc.nat(255), fc.uint8Array({ maxLength: 50 })), { maxLength: 10 });
  fc.assert(
    fc.property(frames, fc.array(fc.integer({ min: 1, max: 20 })), (sent, cuts) => {
      let bytes = Buffer.concat(sent.map(([channel, payload]) => encodeFrame(channel, payload)));
      const decoder = new FrameDecoder();
      const got: [number, Uint8Array][] = [];
      for (const cut of [...cuts, bytes.length]) {
        for (const { channel, payload } of decoder.push(bytes.subarray(0, cut)))
          got.push([channel, new Uint8Array(payload)]);
        bytes = bytes.subarray(cut);
      }
      assert.deepEqual(
        got,
        sent.map(([channel, payload]) => [channel, new Uint8Array(payload)]),
      );
    }),
  );
});

test('a length past the limit is refused before anything is kept for it', () => {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(0xffff_ffff);
  assert.throws(() => new FrameDecoder().push(head), RangeError);
  head.writeUInt32BE(MAX_FRAME_BYTES + 1);
  assert.throws(() => new FrameDecoder().push(head), RangeError);
  assert.equal(new FrameDecoder().push(encodeJson({})).length, 1);
});

test('a process is itself only with its start time and its boot', () => {
  const own = identify(process.pid, 'boot');
  assert.ok(own !== undefined);
  assert.equal(isAlive(own, 'boot'), true);
  assert.equal(isAlive(own, 'another boot'), false);
  assert.equal(isAlive({ ...own, startTime: '1' }, 'boot'), false);
  assert.equal(readStat(2 ** 22 + 1), undefined);
});

test('descendants are found to any depth', () => {
  const stat = (pid: number, parent: number) => ({ pid, parent, state: 'S', session: 0, startTime: '0', cpuTicks: 0 });
  assert.deepEqual(descendantsOf(1, [stat(4, 3), stat(3, 2), stat(2, 1), stat(9, 8)]), [1, 2, 3, 4]);
});

const LIMITS: ResourceLimits = { memoryBytes: 64 << 20, cpuMillis: 500, cpuShareMillis: 250, pids: 10 };

function checkGroups(version: 'v1' | 'v2', files: Readonly<Record<string, string>>): Promise<void> {
  return within((root) => {
    if (version === 'v2') writeFileSync(join(root, 'cgroup.controllers'), 'memory cpu pids');
    for (const name of version === 'v1' ? ['memory', 'cpu', 'cpuacct', 'pids'] : []) {
      mkdirSync(join(root, name));
      writeFileSync(join(root, name, 'cgroup.procs'), '');
    }
    const groups = openCgroups(root, 'skerry/x');
    assert.equal(groups?.version, version);
    groups?.create('id', LIMITS);
    groups?.place('id', 4711);
    for (const [file, text] of Object.entries(files)) assert.equal(readFileSync(join(root, file), 'utf8'), text, file);
    assert.deepEqual(groups?.processes('id'), [4711]);
  });
}

const notRoot = process.getuid?.() === 0 ? false : 'the layout for root is tested';

test('limits are written as version 1 has them', () =>
  checkGroups('v1', {
    'memory/skerry/x/id/memory.limit_in_bytes': String(64 << 20),
    'cpu/skerry/x/id/cpu.cfs_quota_us': '50000',
    'cpu/skerry/x/id/cpu.shares': '256',
    'pids/skerry/x/id/pids.max': '10',
    'memory/skerry/x/id/cgroup.procs': '4711',
  }));

test('limits are written as version 2 has them', { skip: notRoot }, () =>
  checkGroups('v2', {
    'cgroup.subtree_control': '+memory +cpu +pids',
    'skerry/cgroup.subtree_control': '+memory +cpu +pids',
    'skerry/x/id/memory.max': String(64 << 20),
    'skerry/x/id/cpu.max': '50000 100000',
    'skerry/x/id/cpu.weight': '11',
    'skerry/x/id/pids.max': '10',
  }),
);

test('where no group can be made there are none', () =>
  within((root) => assert.equal(openCgroups(join(root, 'nothing'), 'skerry/x'), undefined)));
