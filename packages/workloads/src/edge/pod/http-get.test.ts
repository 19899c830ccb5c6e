import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { systemClock } from '@skerry/base';
import type { HandlerResult, HandlerTarget } from './handler-run.ts';
import { type HttpUse, httpGet } from './http-get.ts';
import type { HttpGetAction } from './types.ts';

const heard: { url: string; headers: NodeJS.Dict<string | string[]> }[] = [];
const server = createServer(({ url = '', headers }, response) => {
  heard.push({ url, headers });
  const [, code = '200', ...rest] = url.split('?')[0]?.split('~') ?? [];
  const location = url === '/again~302' ? url : rest.length === 0 ? undefined : rest.join('~');
  if (code === 'never') return;
  response.writeHead(Number(code), location === undefined ? {} : { location: location.replaceAll('_', '/') });
  response.end('x'.repeat(url.includes('long') ? 1_000_000 : 2));
});
let port = 0;
before(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});
after(() => {
  server.closeAllConnections();
  server.close();
});

interface Asked extends Partial<HttpGetAction> {
  readonly use?: HttpUse;
  readonly timeoutMs?: number;
}

async function check(
  { use = 'probe', timeoutMs = 10_000, ...action }: Asked,
  expected: Partial<HandlerResult>,
): Promise<void> {
  heard.length = 0;
  const container = { name: 'c', ports: [{ name: 'web', containerPort: port }] };
  const target = {
    clock: systemClock,
    containerId: 'c',
    container,
    podIP: '127.0.0.1',
    signal: new AbortController().signal,
  };
  const result = await httpGet({ port: 'web', ...action }, target as unknown as HandlerTarget, { use, timeoutMs });
  assert.equal(result.ok, expected.ok, result.message);
  if (expected.message !== undefined) assert.ok(result.message.includes(expected.message), result.message);
  assert.equal(result.warning, expected.warning);
}

test('an answer is well from 200 to 399', async () => {
  await check({ path: '/~200' }, { ok: true });
  await check({ path: '/~304' }, { ok: true, warning: 'Probe terminated redirects, Response body: ' });
  await check({ path: '/~400' }, { ok: false, message: 'HTTP probe failed with statuscode: 400' });
  await check({ path: '/~503' }, { ok: false, message: 'HTTP probe failed with statuscode: 503' });
});

test('a hook only has to be heard', () => check({ path: '/~500', use: 'hook' }, { ok: true }));

test('a path without a slash gets one, and headers go along', async () => {
  const httpHeaders = [
    { name: 'Host', value: 'example.com' },
    { name: 'user-agent', value: 'me' },
  ];
  await check({ path: 'x?y=1', httpHeaders }, { ok: true });
  assert.equal(heard[0]?.url, '/x?y=1');
  assert.equal(heard[0]?.headers['host'], 'example.com');
  assert.equal(heard[0]?.headers['user-agent'], 'me');
});

test('redirects are followed on the same host, but not for ever', async () => {
  await check({ path: '/~302~_~503' }, { ok: false, message: 'statuscode: 503' });
  await check({ path: '/~302~_~302~_~200' }, { ok: true });
  await check(
    { path: '/~302~http:__192.0.2.1_' },
    { ok: true, warning: 'Probe terminated redirects, Response body: xx' },
  );
  await check({ path: '/~302~_~302' }, { ok: true, warning: 'Probe terminated redirects, Response body: xx' });
  await check({ path: '/again~302' }, { ok: false, message: 'stopped after 10 redirects' });
});

test('who does not answer in time has failed, also when the time is no whole number', () =>
  check({ path: '/~never', timeoutMs: 50.5 }, { ok: false, message: 'context deadline exceeded' }));

test('a body is read no further than it counts', () => check({ path: '/~200?long' }, { ok: true }));

test('nobody at the port is a failure with its reason', () =>
  check({ port: 1 }, { ok: false, message: 'ECONNREFUSED' }));
