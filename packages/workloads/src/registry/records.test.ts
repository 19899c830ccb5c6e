import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AuditEvent } from '@skerry/api';
import { fakeClock } from '@skerry/testkit';
import { RECORD_INTERVAL_MS, Records } from './records.ts';

function world() {
  const clock = fakeClock();
  const lines: AuditEvent[] = [];
  const records = new Records({ append: (event) => void lines.push(event) }, clock);
  const refuse = (sourceIp: string, path = '/v2/a', code = 401) =>
    records.add({ user: 'system:anonymous', verb: 'get', path, code, sourceIp }, false);
  return { clock, lines, records, refuse };
}

test('what a peer without a name is refused is a line at once, and one for all that follow in the interval', async () => {
  const { clock, lines, refuse } = world();
  for (let count = 0; count < 1000; count++) refuse('192.0.2.1', `/v2/${count}`, count % 2 === 0 ? 401 : 429);
  refuse('192.0.2.2');
  assert.deepEqual(
    lines.map(({ sourceIp, path }) => `${sourceIp} ${path}`),
    ['192.0.2.1 /v2/0', '192.0.2.2 /v2/a'],
  );
  await clock.advance(RECORD_INTERVAL_MS);
  const { reason, path, code } = lines[2] ?? {};
  assert.deepEqual(
    [lines.length, reason, path, code],
    [3, 'the last of 999 requests that were refused', '/v2/999', 429],
  );
  await clock.advance(RECORD_INTERVAL_MS);
  assert.equal(lines.length, 3);
  refuse('192.0.2.1');
  assert.equal(lines.length, 4);
});

test('many peers together are counted as one', async () => {
  const { clock, lines, refuse } = world();
  for (let peer = 0; peer < 5000; peer++) refuse(`peer-${peer}`);
  assert.equal(lines.length, 1025);
  await clock.advance(RECORD_INTERVAL_MS);
  assert.equal(lines.length, 1026);
  assert.match(lines.at(-1)?.reason ?? '', /of many peers/);
});

test('every request of somebody known is a line, and so is what anybody is given; paths are cut', () => {
  const { lines, records } = world();
  const event = { user: 'bob', verb: 'get', path: `/${'x'.repeat(5000)}`, sourceIp: '192.0.2.1' };
  for (const code of [200, 403, 403, 403]) records.add({ ...event, code }, true);
  records.add({ ...event, code: 200 }, false);
  assert.deepEqual(
    lines.map(({ code, path }) => [code, path.length]),
    [200, 403, 403, 403, 200].map((code) => [code, 512]),
  );
});

test('what was counted is written when the door closes', () => {
  const { lines, records, refuse } = world();
  for (let count = 0; count < 3; count++) refuse('192.0.2.1');
  records[Symbol.dispose]();
  assert.match(lines.at(-1)?.reason ?? '', /the last of 2 requests/);
});
