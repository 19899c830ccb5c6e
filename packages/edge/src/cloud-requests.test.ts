import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StatusError } from '@skerry/api';
import { CodedError } from '@skerry/base';
import { askOver } from './cloud-requests.ts';

/** Asks while opening a stream ends as given; expects a Status of this code whose message matches. */
async function check(opened: 'no link' | 'cut off' | Error, code: number, message: RegExp): Promise<void> {
  const link = {
    status: () => ({ connected: opened !== 'cut off' }),
    openStream: () => Promise.reject(opened as Error),
  };
  const ask = askOver(() => (opened === 'no link' ? undefined : link) as never);
  const { signal } = new AbortController();
  const asked = ask({
    method: 'GET',
    path: '/',
    query: new URLSearchParams(),
    headers: {},
    user: { username: 'x', groups: [] },
    signal,
  });
  await assert.rejects(asked, (error: unknown) => {
    assert.ok(error instanceof StatusError);
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  });
}

const refused = (text: string) => new CodedError('LINK_STREAM_REFUSED', { text: 'refused', retry: 'never' }, { text });

test('without a link the reason is said at once', async () => {
  await check('no link', 503, /cut off/);
  await check('cut off', 503, /cut off/);
  await check(new Error('the path broke'), 503, /cut off/);
});

test('what the cloud refuses is refused in its words', async () => {
  await check(refused(JSON.stringify({ code: 403, reason: 'Forbidden', message: 'not yours' })), 403, /not yours/);
  await check(refused('something else'), 503, /cut off/);
});
