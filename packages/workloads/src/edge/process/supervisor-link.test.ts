import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '@skerry/base';
import { fakeClock } from '@skerry/testkit';
import type { SupervisorClient } from '../supervisor-client.ts';
import { openLink } from './supervisor-link.ts';

/** A supervisor that ends when it is told to, and how often one was asked for. */
function supervisors() {
  const ends: (() => void)[] = [];
  const connect = async (): Promise<SupervisorClient> => {
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    ends.push(resolve);
    const client: Partial<SupervisorClient> = {
      closed,
      hello: { records: [] } as unknown as SupervisorClient['hello'],
      shutdown: async () => resolve(),
      close: resolve,
    };
    return client as SupervisorClient;
  };
  return { ends, connect };
}

test('a supervisor that died is started again', async () => {
  const clock = fakeClock();
  const { ends, connect } = supervisors();
  const link = await openLink({ connect, clock, log: silentLogger }, () => {});
  ends[0]?.();
  await clock.advance(10_000);
  assert.equal(ends.length, 2);
  link.close();
});

test('a supervisor that was ended for good is not, however long the rest of the node still stops', async () => {
  const clock = fakeClock();
  const { ends, connect } = supervisors();
  const link = await openLink({ connect, clock, log: silentLogger }, () => {});
  await link.shutdown();
  await clock.advance(10_000);
  assert.equal(ends.length, 1);
  link.close();
});
