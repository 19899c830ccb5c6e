import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLogger } from '@skerry/base';
import { fakeClock } from '@skerry/testkit';
import { eventually } from '@skerry/testkit/processes';
import { createWorkerProcess, type WorkerProcess } from './worker-process.ts';

/** Notes each start with what it was told, and does what its program says. */
async function withWorker(
  program: string,
  story: (worker: WorkerProcess, told: () => string[], clock: ReturnType<typeof fakeClock>) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-process-'));
  const notes = join(folder, 'notes');
  const bundle = join(folder, 'worker.cjs');
  writeFileSync(notes, '');
  const note = `require('node:fs').appendFileSync(${JSON.stringify(notes)}, message.text + '\\n');`;
  writeFileSync(
    bundle,
    `process.once('message', (message) => { ${note} ${program} });\nprocess.once('disconnect', () => process.exit(0));\n`,
  );
  const clock = fakeClock();
  const start = { text: 'hello' };
  const worker = createWorkerProcess({ name: 'data', bundle, start, clock, log: silentLogger, random: () => 0.5 });
  const told = () =>
    readFileSync(notes, 'utf8')
      .split('\n')
      .filter((line) => line !== '');
  try {
    await story(worker, told, clock);
  } finally {
    await worker.close();
    rmSync(folder, { recursive: true });
  }
}

test('it runs while it is wanted, and is told what it needs', () =>
  withWorker('', async (worker, told) => {
    assert.equal(worker.isRunning, false);
    worker.want(true);
    worker.want(true);
    await eventually('its start', () => told().length === 1);
    assert.deepEqual([told(), worker.isRunning], [['hello'], true]);
    worker.want(false);
    await eventually('its end', () => !worker.isRunning);
    worker.want(true);
    await eventually('another start', () => told().length === 2);
  }));

test('one that dies is started again, after a pause that grows', () =>
  withWorker('process.exit(3);', async (worker, told, clock) => {
    worker.want(true);
    for (let starts = 1; starts <= 3; starts++) {
      await eventually('its death', () => told().length === starts && !worker.isRunning);
      await clock.advance(500);
      assert.equal(told().length, starts, 'not at once');
      await clock.advance(60_000);
    }
  }));

test('one that is not wanted any more is not started again', () =>
  withWorker('process.exit(3);', async (worker, told, clock) => {
    worker.want(true);
    await eventually('its death', () => told().length === 1 && !worker.isRunning);
    worker.want(false);
    await clock.advance(120_000);
    assert.equal(told().length, 1);
  }));

test('one that does not heed the request to end is ended by force', () =>
  withWorker("process.on('SIGTERM', () => {});", async (worker, told, clock) => {
    worker.want(true);
    await eventually('its start', () => told().length === 1);
    const closing = worker.close();
    await clock.advance(10_000);
    await closing;
    assert.equal(worker.isRunning, false);
  }));
