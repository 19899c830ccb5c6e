import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { silentLogger } from '@skerry/base';
import { digestOf, MediaType } from '../images/index.ts';
import { parseRoute } from './route.ts';
import { upstreamBackend } from './upstream.ts';

async function serving(listener: (message: IncomingMessage, response: ServerResponse) => unknown) {
  const server = createServer((message, response) => void listener(message, response));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  return { port, [Symbol.asyncDispose]: async () => void (await once(server.close(), 'close')) };
}

/** What the registry behind our door is sent for what a client sends, under the path `/base`. */
async function check(sent: string, type: string, expected: string): Promise<void> {
  let seen = '';
  await using upstream = await serving(({ method, url, headers }, response) => {
    const [kind = '-', length = '-'] = [headers['content-type'], headers['content-length']];
    seen = `${method} ${url} ${kind} ${length}`;
    response.writeHead(202, { connection: 'close' }).end();
  });
  using backend = upstreamBackend({ url: new URL(`http://127.0.0.1:${upstream.port}/base`), log: silentLogger });
  await using door = await serving(async (message, response) => {
    const { status } = await backend.handle(parseRoute(message.method ?? '', message.url ?? ''), message);
    response.writeHead(status, { connection: 'close' }).end();
  });
  const [method = '', path = ''] = sent.split(' ');
  const headers = { 'content-type': type, 'content-length': method === 'GET' ? '0' : '4' };
  const asked = request({ host: '127.0.0.1', port: door.port, method, path, headers, agent: false });
  asked.end(method === 'GET' ? '' : 'from');
  const [response] = await once(asked, 'response');
  response.resume();
  assert.equal(seen, expected);
}

const DIGEST = digestOf('x');
const FORM = 'application/x-www-form-urlencoded';
const BYTES = 'application/octet-stream';
const ID = '00000000-0000-4000-8000-000000000000';
const encoded = encodeURIComponent(DIGEST);

test('the registry behind the door reads what was judged, and nothing beside it', async () => {
  await check('GET /v2/team/web/manifests/1?mount=x', BYTES, 'GET /base/v2/team/web/manifests/1 - -');
  await check(`GET /v2/team/web/blobs/${encoded}?a=b`, BYTES, `GET /base/v2/team/web/blobs/${DIGEST} - -`);
  await check('GET /v2/_catalog?n=5&n=6&last=a%26n%3d9', BYTES, 'GET /base/v2/_catalog?n=5&last=a%26n%3D9 - -');
  await check(
    `POST /v2/team/web/blobs/uploads/?mount=${DIGEST}&from=team/api&from=other/web&mount=${DIGEST}`,
    FORM,
    `POST /base/v2/team/web/blobs/uploads/?mount=${encoded}&from=team%2Fapi - 0`,
  );
});

test('an upload begins without a body, which could be a form that mounts', async () => {
  await check('POST /v2/team/web/blobs/uploads/', FORM, 'POST /base/v2/team/web/blobs/uploads/ - 0');
  await check(`POST /v2/team/web/blobs/uploads/?digest=${DIGEST}`, FORM, 'POST /base/v2/team/web/blobs/uploads/ - 0');
});

test('the bytes of uploads are bytes, and only manifests have a type', async () => {
  const place = `/v2/team/web/blobs/uploads/${ID}`;
  await check(`PATCH ${place}?_state=s&from=x`, FORM, `PATCH /base${place}?_state=s ${BYTES} 4`);
  const last = `PUT /base${place}?_state=s&digest=${encoded} ${BYTES} 4`;
  await check(`PUT ${place}?digest=${DIGEST}&_state=s&digest=${digestOf('y')}`, FORM, last);
  const manifest = '/v2/team/web/manifests/1';
  await check(`PUT ${manifest}`, MediaType.manifest, `PUT /base${manifest} ${MediaType.manifest} 4`);
  await check(`PUT ${manifest}`, FORM, `PUT /base${manifest} ${BYTES} 4`);
});
