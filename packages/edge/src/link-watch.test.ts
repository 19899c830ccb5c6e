import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Logger } from '@skerry/base';
import { silentLogger } from '@skerry/base';
import type { EdgeLinkStatus, RefusalCode } from '@skerry/link/node';
import type { NodeIdentity } from '@skerry/security/identity';
import { watchLink } from './link-watch.ts';

/** `up`, `down`, a refusal, or `renewed` for a new certificate. */
type Happening = 'up' | 'down' | 'renewed' | RefusalCode;

/** Compares what the log says and how often the certificate is renewed. */
function check(happenings: readonly Happening[], expected: readonly string[], renewals = 0): void {
  const said: string[] = [];
  const log: Logger = {
    ...silentLogger,
    info: (_fields: object, message: string) => void said.push(message),
    warn: (fields: object, message: string) =>
      void said.push('refusal' in fields ? `${message}: ${String(fields.refusal)}` : message),
  };
  let tell: (status: EdgeLinkStatus) => void = () => {};
  let renewed = 0;
  const keeper = {
    current: { certificatePem: 'first' } as NodeIdentity,
    renewNow: () => {
      renewed++;
    },
  };
  const link = {
    onStatus: (callback: (status: EdgeLinkStatus) => void) => {
      tell = callback;
      return () => {};
    },
  };
  watchLink(link, keeper, log);
  for (const happening of happenings) {
    if (happening === 'renewed') keeper.current = { ...keeper.current, certificatePem: 'next' };
    else tell(statusOf(happening));
  }
  assert.deepEqual(said, expected);
  assert.equal(renewed, renewals);
}

function statusOf(happening: Exclude<Happening, 'renewed'>): EdgeLinkStatus {
  const status = { connected: happening === 'up', current: false, sessionNumber: 1, paths: [] };
  if (happening === 'up' || happening === 'down') return status;
  return { ...status, refused: { code: happening, text: '' } };
}

test('each turn of the link is said once', () =>
  check(
    ['down', 'down', 'up', 'up', 'down', 'up'],
    [
      'cut off from the cloud; the node goes on alone',
      'linked to the cloud',
      'cut off from the cloud; the node goes on alone',
      'linked to the cloud',
    ],
  ));

test('a refusal is said with its reason', () =>
  check(
    ['copy', 'copy', 'revoked', 'version'],
    ['link refused: copy', 'link refused: revoked', 'link refused: version'],
  ));

test('only a certificate that is not taken is renewed, once each', () => {
  check(['certificate', 'certificate', 'certificate'], ['link refused: certificate'], 1);
  check(['certificate', 'renewed', 'certificate', 'certificate'], ['link refused: certificate'], 2);
  check(
    ['copy', 'revoked', 'busy', 'other', 'down'],
    [
      'link refused: copy',
      'link refused: revoked',
      'link refused: busy',
      'link refused: other',
      'cut off from the cloud; the node goes on alone',
    ],
  );
});
