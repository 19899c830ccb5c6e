import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StatusError } from '@skerry/api';
import { silentLogger } from '@skerry/base';
import type { Store } from '@skerry/kube/store';
import { fakeClock } from '@skerry/testkit';
import { podTokens } from './pod-tokens.ts';

interface Given {
  readonly isConnected: boolean;
  /** What the cloud does when it is asked. */
  readonly cloud?: 'issues' | 'refuses' | 'fails';
  readonly hasAccount?: boolean;
}

async function ask({ isConnected, cloud = 'issues', hasAccount = true }: Given): Promise<string> {
  const account = JSON.stringify({ metadata: { name: 'app', uid: 'account-uid' } });
  const answers = {
    issues: { status: 201, body: { status: { token: 'of the cloud', expirationTimestamp: '2026-01-01T01:00:00Z' } } },
    refuses: { status: 403, body: { message: 'no' } },
  };
  const request = podTokens({
    node: 'edge-1',
    store: { get: () => (hasAccount ? { json: account } : undefined) } as unknown as Store,
    issuer: {
      issue: ({ serviceAccount }: { serviceAccount: { uid: string } }) => ({
        token: `of the node for ${serviceAccount.uid}`,
        expirationTimestamp: '2026-01-01T01:00:00Z',
      }),
    } as never,
    ask: async () => {
      if (cloud === 'fails') throw new StatusError(503, 'ServiceUnavailable', 'cut off');
      const { status, body } = answers[cloud];
      return { status, headers: {}, body: Buffer.from(JSON.stringify(body)) };
    },
    isConnected: () => isConnected,
    clock: fakeClock(),
    log: silentLogger,
  });
  const { token } = await request({
    namespace: 'default',
    serviceAccount: 'app',
    audiences: [],
    expirationSeconds: 3607,
    pod: { name: 'p', uid: 'u' },
  });
  return token;
}

const check = async (given: Given, token: string): Promise<void> => assert.equal(await ask(given), token);

test('while there is a link the cloud makes the token', () => check({ isConnected: true }, 'of the cloud'));

test('cut off, or when the cloud does not answer as it should, the node makes it', async () => {
  await check({ isConnected: false }, 'of the node for account-uid');
  await check({ isConnected: true, cloud: 'refuses' }, 'of the node for account-uid');
  await check({ isConnected: true, cloud: 'fails' }, 'of the node for account-uid');
});

test('the node makes none for an account it does not hold', () =>
  assert.rejects(ask({ isConnected: false, hasAccount: false }), /serviceaccounts "app" not found/));
