import assert from 'node:assert/strict';
import { Agent, createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { toApiRequest } from './http-request.ts';

test('fifty requests on one connection leave no listener on it', async () => {
  const counts: number[] = [];
  const server = createServer((message, response) => {
    counts.push(message.socket.listenerCount('close'));
    const { signal } = toApiRequest(message, { username: 'bob', groups: [] }, undefined, response);
    response.end(String(signal.aborted));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const { port } = server.address() as AddressInfo;
  const ask = () =>
    new Promise<void>((resolve, reject) => {
      get({ host: '127.0.0.1', port, agent }, (answer) => answer.resume().once('close', resolve)).once('error', reject);
    });
  for (let count = 0; count < 50; count++) await ask();
  agent.destroy();
  await new Promise((resolve) => server.close(resolve));
  assert.deepEqual(new Set(counts), new Set(counts.slice(0, 1)));
  assert.equal(counts.length, 50);
});
