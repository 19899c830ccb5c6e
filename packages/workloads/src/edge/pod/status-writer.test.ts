import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StatusError } from '@skerry/api';
import { silentLogger } from '@skerry/base';
import type { Client } from '@skerry/kube/client';
import { fakeClock } from '@skerry/testkit';
import { StatusWriter } from './status-writer.ts';
import type { Pod } from './types.ts';

const REF = { gvr: { group: '', version: 'v1', resource: 'pods' }, namespace: 'default', name: 'p' };

function podWith(uid: string, annotations: Record<string, string> = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'default', uid, resourceVersion: '1', annotations },
    spec: { containers: [] },
  };
}

const STATIC = podWith('static', { 'kubernetes.io/config.source': 'file' });
const MIRROR = { 'kubernetes.io/config.source': 'file', 'kubernetes.io/config.mirror': 'static' };

interface Write {
  readonly uid: string | undefined;
  answer(): void;
  fail(reason: 'Conflict' | 'NotFound'): void;
}

/** A writer whose writes wait until the test answers them. */
async function check(pod: Pod, story: (writer: StatusWriter, next: () => Promise<Write | undefined>) => Promise<void>) {
  const writes: Write[] = [];
  const patch = (_ref: unknown, { metadata, status }: { metadata: { uid: string }; status: object }) => {
    const { promise, resolve, reject } = Promise.withResolvers<Pod>();
    const { uid } = metadata;
    writes.push({
      uid,
      answer: () => resolve({ ...podWith(uid), status } as Pod),
      fail: (reason) => reject(new StatusError(reason === 'Conflict' ? 409 : 404, reason, reason)),
    });
    return promise;
  };
  const client = { patch } as unknown as Client;
  const writer = new StatusWriter({ client, clock: fakeClock(), log: silentLogger }, REF, pod);
  await story(writer, async () => {
    await new Promise((resolve) => setImmediate(resolve));
    return writes.shift();
  });
  writer.stop();
}

test('the status of a static pod is written to its mirror, once there is one', () =>
  check(STATIC, async (writer, next) => {
    writer.want({ phase: 'Running' });
    assert.equal(await next(), undefined);
    writer.observe(podWith('m1', MIRROR));
    assert.equal((await next())?.uid, 'm1');
  }));

test('a mirror that came while the write to the one before was under way gets the status, however that ends', async () => {
  for (const end of ['answer', 'Conflict', 'NotFound'] as const) {
    await check(STATIC, async (writer, next) => {
      writer.observe(podWith('m1', MIRROR));
      writer.want({ phase: 'Running' });
      const first = await next();
      writer.observe(podWith('m2', MIRROR));
      if (end === 'answer') first?.answer();
      else first?.fail(end);
      assert.equal((await next())?.uid, 'm2', end);
    });
  }
});

test('nothing more is written to a pod that is gone, until the API shows it again', () =>
  check(podWith('p1'), async (writer, next) => {
    writer.want({ phase: 'Running' });
    (await next())?.fail('NotFound');
    assert.equal(await next(), undefined);
    writer.want({ phase: 'Failed' });
    assert.equal(await next(), undefined);
    writer.observe(podWith('p1'));
    assert.equal((await next())?.uid, 'p1');
  }));
