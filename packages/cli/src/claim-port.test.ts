import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { claimPort } from './claim-port.ts';

test('of those who want the same port at once, each has one of its own, though nobody listens yet', async () => {
  const stop = new AbortController();
  const any = await claimPort(0, stop.signal);
  const ports = await Promise.all([any, any, any].map((port) => claimPort(port, stop.signal)));
  assert.equal(new Set([any, ...ports]).size, 4);
  stop.abort();
});

test('a port is free again when the claim ends, and another one is found while somebody listens at it', async () => {
  const stop = new AbortController();
  const port = await claimPort(0, stop.signal);
  stop.abort();
  const next = new AbortController();
  assert.equal(await claimPort(port, next.signal), port);
  next.abort();
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  const last = new AbortController();
  assert.notEqual(await claimPort(port, last.signal), port);
  last.abort();
  server.close();
});
