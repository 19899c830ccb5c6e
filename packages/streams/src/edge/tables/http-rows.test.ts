import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { silentLogger } from '@skerry/base';
import { fakeClock } from '@skerry/testkit';
import type { Row } from '../../sql/index.ts';
import { httpRows } from './http-rows.ts';

/** What is found for `id = 1` when a server answers so. */
async function check(answer: string, story: (found: Promise<readonly Row[]>) => Promise<void>): Promise<void> {
  const server = createServer((_request, response) => response.end(answer)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}/`;
  const context = { clock: fakeClock(), log: silentLogger, folder: '.', secret: {} };
  const rows = httpRows({ url }, (message) => message as Row, context);
  try {
    await story(Promise.resolve(rows.find({ id: 1 })));
  } finally {
    await rows.close?.();
    server.close();
  }
}

test('one object is a row, a list are rows, and those of other keys are none', async () => {
  await check('{"id":1,"a":2}', async (found) => assert.deepEqual(await found, [{ id: 1, a: 2 }]));
  await check('[{"id":1},{"id":2},{"a":3}]', async (found) => assert.deepEqual(await found, [{ id: 1 }, { a: 3 }]));
});

test('an answer that is too deep is refused', () =>
  check(`{"id":1,"deep":${'['.repeat(5000)}${']'.repeat(5000)}}`, (found) =>
    assert.rejects(found, /more than 128 levels/),
  ));
