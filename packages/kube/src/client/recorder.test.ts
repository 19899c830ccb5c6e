import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '@skerry/api';
import { silentLogger } from '@skerry/base';
import { fakeClock } from '@skerry/testkit';
import { clientOver } from './client-over.ts';
import { createRecorder, type Recorder } from './recorder.ts';

const web: KubeObject = {
  apiVersion: 'apps/v1',
  kind: 'ReplicaSet',
  metadata: { name: 'web', namespace: 'shop', uid: 'u1' },
};

/** Records with `plan` and compares the writes that reach the API. `answer` may refuse them. */
async function check(
  plan: (recorder: Recorder, clock: ReturnType<typeof fakeClock>) => Promise<void> | void,
  expected: readonly string[],
  answer: (method: string) => number = () => 200,
): Promise<void> {
  const writes: string[] = [];
  const clock = fakeClock();
  const client = clientOver(async (request) => {
    const body = JSON.parse(request.body ?? '{}') as Record<string, unknown>;
    const what = request.method === 'POST' ? `${body.reason}: ${body.message}` : `count ${body.count}`;
    writes.push(`${request.method} ${what}`);
    return { status: answer(request.method), headers: {}, body: request.body };
  });
  const recorder = createRecorder({ client, clock, log: silentLogger, component: 'test' });
  await plan(recorder, clock);
  await recorder.flush();
  assert.deepEqual(writes, expected);
}

test('the same event again counts the first one up', () =>
  check(
    (recorder) => {
      recorder.event(web, 'Normal', 'SuccessfulCreate', 'Created pod: a');
      recorder.event(web, 'Normal', 'SuccessfulCreate', 'Created pod: b');
      recorder.event(web, 'Normal', 'SuccessfulCreate', 'Created pod: a');
    },
    ['POST SuccessfulCreate: Created pod: a', 'POST SuccessfulCreate: Created pod: b', 'PATCH count 2'],
  ));

test('an event that expired meanwhile is written anew', () =>
  check(
    (recorder) => {
      recorder.event(web, 'Warning', 'Failed', 'no');
      recorder.event(web, 'Warning', 'Failed', 'no');
    },
    ['POST Failed: no', 'PATCH count 2', 'POST Failed: no'],
    (method) => (method === 'PATCH' ? 404 : 200),
  ));

test('a flood from one object is cut, then let through at a slow pace', () =>
  check(
    async (recorder, clock) => {
      for (let index = 0; index < 100; index++) recorder.event(web, 'Normal', 'Flood', 'again');
      await recorder.flush();
      await clock.advance(5 * 60_000);
      recorder.event(web, 'Normal', 'Later', 'once');
      recorder.event(web, 'Normal', 'Later', 'twice');
    },
    ['POST Flood: again', ...Array.from({ length: 24 }, (_, index) => `PATCH count ${index + 2}`), 'POST Later: once'],
  ));

test('an event that is refused disturbs nobody', () =>
  check(
    (recorder) => recorder.event(web, 'Normal', 'Denied', 'no'),
    ['POST Denied: no'],
    () => 403,
  ));
