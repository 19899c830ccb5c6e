import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf, MediaType } from '../images/index.ts';
import { Room } from './room.ts';
import { MAX_PAGE } from './route.ts';
import {
  descriptorOf,
  MANIFEST_HEADERS,
  manifestOf,
  type ScratchAsk,
  ScratchRegistry,
} from './testing/scratch-registry.ts';

interface Step extends ScratchAsk {
  /** `METHOD PATH`; `$UPLOAD` stands for where the last answer said to go on. */
  readonly ask: string;
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly expect?: Readonly<Record<string, string>>;
  readonly code?: string;
  readonly text?: string;
}

/** Asks one after the other, and compares each answer. */
async function check(steps: readonly Step[], scratch?: ScratchRegistry): Promise<void> {
  using own = scratch === undefined ? await ScratchRegistry.open() : undefined;
  const registry = scratch ?? own;
  let upload = '';
  for (const { ask, status, expect = {}, code, text, ...asking } of steps) {
    const [method = '', path = ''] = ask.replace('$UPLOAD', upload).split(' ');
    const answer = await registry?.ask(method, path, asking);
    assert.equal(answer?.status, status, `${ask}: ${answer?.text}`);
    for (const [name, value] of Object.entries(expect)) assert.equal(answer?.headers[name], value, `${ask}: ${name}`);
    if (code !== undefined) assert.equal(JSON.parse(answer?.text ?? '').errors[0].code, code, ask);
    if (text !== undefined) assert.equal(answer?.text, text, ask);
    upload = answer?.headers['location'] ?? upload;
  }
}

const MIB = 1024 * 1024;
const LAYER = 'a layer';
const DIGEST = digestOf(LAYER);
const OTHER = digestOf('something else');
const MANIFEST = manifestOf('{}', [LAYER]);
const pushed = (repository = 'team/web'): Step[] => [
  { ask: `POST /v2/${repository}/blobs/uploads/?digest=${DIGEST}`, body: LAYER, status: 201 },
  { ask: `POST /v2/${repository}/blobs/uploads/?digest=${digestOf('{}')}`, body: '{}', status: 201 },
  { ask: `PUT /v2/${repository}/manifests/1`, body: MANIFEST, headers: MANIFEST_HEADERS, status: 201 },
];

test('a blob comes whole, in one go or in the request that ends it', () =>
  check([
    { ask: 'POST /v2/web/blobs/uploads/', status: 202, expect: { range: '0-0' } },
    {
      ask: `PUT $UPLOAD?digest=${DIGEST}`,
      body: LAYER,
      status: 201,
      expect: { location: `/v2/web/blobs/${DIGEST}`, 'docker-content-digest': DIGEST },
    },
    { ask: `GET /v2/web/blobs/${DIGEST}`, status: 200, text: LAYER, expect: { 'content-length': '7' } },
    { ask: `HEAD /v2/web/blobs/${DIGEST}`, status: 200, text: '', expect: { 'content-length': '7' } },
    { ask: `GET /v2/web/blobs/${OTHER}`, status: 404, code: 'BLOB_UNKNOWN' },
    { ask: `GET /v2/other/blobs/${DIGEST}`, status: 404, code: 'BLOB_UNKNOWN' },
  ]));

test('a blob comes in chunks, each where the last one ended', () =>
  check([
    { ask: 'POST /v2/web/blobs/uploads/', status: 202 },
    { ask: 'PATCH $UPLOAD', body: 'a la', headers: { 'content-range': '0-3' }, status: 202, expect: { range: '0-3' } },
    { ask: 'PATCH $UPLOAD', body: 'yer', headers: { 'content-range': '0-2' }, status: 416, expect: { range: '0-3' } },
    { ask: 'PATCH $UPLOAD', body: 'yer', headers: { 'content-range': 'x' }, status: 400, code: 'BLOB_UPLOAD_INVALID' },
    { ask: 'GET $UPLOAD', status: 204, expect: { range: '0-3' } },
    {
      ask: 'PATCH $UPLOAD',
      body: 'ye',
      headers: { 'content-range': 'bytes 4-5/*' },
      status: 202,
      expect: { range: '0-5' },
    },
    { ask: `PUT $UPLOAD?digest=${DIGEST}`, body: 'r', headers: { 'content-range': '6-6' }, status: 201 },
    { ask: `GET /v2/web/blobs/${DIGEST}`, status: 200, text: LAYER },
  ]));

test('an upload goes on after a restart, and after a connection that broke', async () => {
  using scratch = await ScratchRegistry.open();
  const { headers } = await scratch.ask('POST', '/v2/web/blobs/uploads/');
  const place = headers['location'] ?? '';
  const broken = async function* () {
    yield Buffer.from('a la');
    throw new Error('the connection broke');
  };
  await assert.rejects(scratch.ask('PATCH', place, { body: broken() }), /broke/);
  await scratch.restart();
  await check(
    [
      { ask: `GET ${place}`, status: 204, expect: { range: '0-3' } },
      { ask: `PUT ${place}?digest=${DIGEST}`, body: 'yer', status: 201 },
      { ask: `GET ${place}`, status: 404, code: 'BLOB_UPLOAD_UNKNOWN' },
    ],
    scratch,
  );
});

test('what does not have its digest is gone, and is nowhere', () =>
  check([
    { ask: 'POST /v2/web/blobs/uploads/', status: 202 },
    { ask: `PUT $UPLOAD?digest=${OTHER}`, body: LAYER, status: 400, code: 'DIGEST_INVALID' },
    { ask: `PUT $UPLOAD?digest=${DIGEST}`, body: LAYER, status: 404, code: 'BLOB_UPLOAD_UNKNOWN' },
    { ask: `GET /v2/web/blobs/${OTHER}`, status: 404 },
    { ask: `GET /v2/web/blobs/${DIGEST}`, status: 404 },
  ]));

test('an upload is cancelled, and belongs to its repository', () =>
  check([
    { ask: 'POST /v2/web/blobs/uploads/', status: 202 },
    { ask: 'DELETE $UPLOAD', status: 204 },
    { ask: 'GET $UPLOAD', status: 404, code: 'BLOB_UPLOAD_UNKNOWN' },
    { ask: 'GET /v2/web/blobs/uploads/../../../etc', status: 404 },
    { ask: 'GET /v2/web/blobs/uploads/00000000-0000-0000-0000-000000000000', status: 404, code: 'BLOB_UPLOAD_UNKNOWN' },
  ]));

test('an upload ends where the disk would be full, in the midst of a request too, and goes on once there is room', async () => {
  using scratch = await ScratchRegistry.open();
  const { headers } = await scratch.ask('POST', '/v2/web/blobs/uploads/');
  const place = headers['location'] ?? '';
  const filling = async function* () {
    yield Buffer.alloc(MIB, 'x');
    scratch.freeBytes = 512 * MIB + 1;
    yield Buffer.alloc(4 * MIB, 'x');
  };
  const whole = 'x'.repeat(5 * MIB);
  const last = `PUT ${place}?digest=${digestOf(whole)}`;
  await check([{ ask: `PATCH ${place}`, body: filling(), status: 507, code: 'DENIED' }], scratch);
  await check([{ ask: last, body: whole.slice(MIB), status: 507, code: 'DENIED' }], scratch);
  await check([{ ask: `GET ${place}`, status: 204, expect: { range: `0-${MIB - 1}` } }], scratch);
  scratch.freeBytes = 1024 * MIB;
  await check([{ ask: last, body: whole.slice(MIB), status: 201 }], scratch);
});

test('room is promised once: what others were promised and have not written yet counts', async () => {
  const room = new Room(async () => 522 * MIB);
  using first = await room.reserve(6 * MIB);
  assert.equal(await room.reserve(6 * MIB), undefined);
  first?.leave(4 * MIB);
  using second = await room.reserve(6 * MIB);
  assert.ok(second);
  assert.equal(await room.reserve(1), undefined);
});

test('an upload of another repository is none of this one', async () => {
  using scratch = await ScratchRegistry.open();
  const { headers } = await scratch.ask('POST', '/v2/web/blobs/uploads/');
  const { status } = await scratch.ask('PATCH', (headers['location'] ?? '').replace('/web/', '/other/'), {
    body: LAYER,
  });
  assert.equal(status, 404);
});

test('only one request at a time writes to an upload', async () => {
  using scratch = await ScratchRegistry.open();
  const { headers } = await scratch.ask('POST', '/v2/web/blobs/uploads/');
  const place = headers['location'] ?? '';
  const { promise: mayGoOn, resolve: goOn } = Promise.withResolvers<void>();
  const { promise: isReading, resolve: reading } = Promise.withResolvers<void>();
  const slow = async function* () {
    yield Buffer.from('a la');
    reading();
    await mayGoOn;
  };
  const first = scratch.ask('PATCH', place, { body: slow() });
  await isReading;
  assert.equal((await scratch.ask('PATCH', place, { body: 'x' })).status, 409);
  goOn();
  assert.equal((await first).status, 202);
});

test('a blob over the limit is refused in its midst', async () => {
  using scratch = await ScratchRegistry.open(10);
  await check(
    [
      { ask: 'POST /v2/web/blobs/uploads/', status: 202 },
      { ask: 'PATCH $UPLOAD', body: '12345678', status: 202 },
      { ask: 'PATCH $UPLOAD', body: '12345678', status: 413, code: 'SIZE_INVALID' },
      { ask: 'GET $UPLOAD', status: 204, expect: { range: '0-7' } },
    ],
    scratch,
  );
});

test('a blob of another repository is mounted, or an upload begins', () =>
  check([
    ...pushed('team/web'),
    { ask: `POST /v2/team/copy/blobs/uploads/?mount=${DIGEST}&from=team/web`, status: 201 },
    { ask: `GET /v2/team/copy/blobs/${DIGEST}`, status: 200, text: LAYER },
    { ask: `POST /v2/team/copy/blobs/uploads/?mount=${OTHER}&from=team/web`, status: 202 },
    { ask: `POST /v2/team/copy/blobs/uploads/?mount=${DIGEST}`, status: 202 },
  ]));

test('ranges of a blob are given, others refused', () =>
  check([
    ...pushed('web'),
    {
      ask: `GET /v2/web/blobs/${DIGEST}`,
      headers: { range: 'bytes=2-4' },
      status: 206,
      text: 'lay',
      expect: { 'content-range': 'bytes 2-4/7', 'content-length': '3' },
    },
    { ask: `GET /v2/web/blobs/${DIGEST}`, headers: { range: 'bytes=4-' }, status: 206, text: 'yer' },
    { ask: `GET /v2/web/blobs/${DIGEST}`, headers: { range: 'bytes=-3' }, status: 206, text: 'yer' },
    { ask: `GET /v2/web/blobs/${DIGEST}`, headers: { range: 'bytes=0-99' }, status: 206, text: LAYER },
    {
      ask: `GET /v2/web/blobs/${DIGEST}`,
      headers: { range: 'bytes=7-' },
      status: 416,
      expect: { 'content-range': 'bytes */7' },
    },
    { ask: `GET /v2/web/blobs/${DIGEST}`, headers: { range: 'bytes=0-1,3-4' }, status: 200, text: LAYER },
  ]));

test('a manifest is found by tag and by digest', () =>
  check([
    ...pushed(),
    {
      ask: 'GET /v2/team/web/manifests/1',
      status: 200,
      text: MANIFEST,
      expect: { 'content-type': MediaType.manifest, 'docker-content-digest': digestOf(MANIFEST) },
    },
    { ask: `GET /v2/team/web/manifests/${digestOf(MANIFEST)}`, status: 200, text: MANIFEST },
    { ask: `HEAD /v2/team/web/manifests/1`, status: 200, text: '' },
    { ask: `GET /v2/team/web/manifests/1`, headers: { 'if-none-match': `"${digestOf(MANIFEST)}"` }, status: 304 },
    { ask: 'GET /v2/team/web/manifests/2', status: 404, code: 'MANIFEST_UNKNOWN' },
  ]));

test('a manifest that is not what it should be is refused', async () => {
  const put = (body: string, code: string, headers: Record<string, string> = MANIFEST_HEADERS): Step => ({
    ask: 'PUT /v2/team/web/manifests/2',
    body,
    headers,
    status: code === 'SIZE_INVALID' ? 413 : 400,
    code,
  });
  const blobless = {
    ...JSON.parse(MANIFEST),
    layers: [descriptorOf('nowhere', 'application/vnd.oci.image.layer.v1.tar')],
  };
  await check([
    ...pushed(),
    put('', 'MANIFEST_INVALID'),
    put('null', 'MANIFEST_INVALID'),
    put('[]', 'MANIFEST_INVALID'),
    put('{"__proto__":{}}', 'MANIFEST_INVALID'),
    put(`${'['.repeat(100_000)}`, 'MANIFEST_INVALID'),
    put(MANIFEST, 'MANIFEST_INVALID', { 'content-type': MediaType.index }),
    put(MANIFEST.replaceAll(MediaType.manifest, 'text/html'), 'MANIFEST_INVALID', { 'content-type': 'text/html' }),
    put(JSON.stringify(blobless), 'MANIFEST_BLOB_UNKNOWN'),
    put(' '.repeat(5 * 1024 * 1024), 'SIZE_INVALID'),
    put(manifestOf('{}', [LAYER], { annotations: { a: 1 } }), 'MANIFEST_INVALID'),
    put(manifestOf('{}', [LAYER], { annotations: { a: 'x'.repeat(100_000) } }), 'MANIFEST_INVALID'),
    put(manifestOf('{}', [LAYER], { subject: { digest: 'md5:x' } }), 'MANIFEST_INVALID'),
    {
      ask: `PUT /v2/team/web/manifests/${OTHER}`,
      body: MANIFEST,
      headers: MANIFEST_HEADERS,
      status: 400,
      code: 'DIGEST_INVALID',
    },
    { ask: 'GET /v2/team/web/manifests/2', status: 404 },
    { ask: 'GET /v2/team/web/tags/list', status: 200, text: '{"name":"team/web","tags":["1"]}' },
  ]);
});

test('an index needs its manifests in the repository', () => {
  const index = JSON.stringify({
    schemaVersion: 2,
    mediaType: MediaType.index,
    manifests: [descriptorOf(MANIFEST, MediaType.manifest)],
  });
  const headers = { 'content-type': MediaType.index };
  return check([
    { ask: 'PUT /v2/team/web/manifests/all', body: index, headers, status: 400, code: 'MANIFEST_BLOB_UNKNOWN' },
    ...pushed(),
    { ask: 'PUT /v2/team/web/manifests/all', body: index, headers, status: 201 },
    { ask: 'GET /v2/team/web/manifests/all', status: 200, text: index, expect: { 'content-type': MediaType.index } },
  ]);
});

test('names, tags and digests that are none are refused', () =>
  check([
    { ask: 'GET /v2/UPPER/tags/list', status: 400, code: 'NAME_INVALID' },
    { ask: 'GET /v2/a/../../b/tags/list', status: 400, code: 'NAME_INVALID' },
    { ask: `GET /v2/${'a'.repeat(300)}/tags/list`, status: 400, code: 'NAME_INVALID' },
    { ask: 'GET /v2/@docker.io/library/web/tags/list', status: 400, code: 'NAME_INVALID' },
    { ask: 'GET /v2/web/tags/list', status: 404, code: 'NAME_UNKNOWN' },
    { ask: 'GET /v2/web/blobs/sha256:00', status: 400, code: 'DIGEST_INVALID' },
    { ask: 'GET /v2/web/manifests/-x', status: 400, code: 'MANIFEST_INVALID' },
    { ask: `GET /v2/web/manifests/%E0%A4%A`, status: 400, code: 'MANIFEST_INVALID' },
    { ask: 'POST /v2/web/manifests/1', status: 405 },
    { ask: 'PUT /v2/', status: 405 },
    { ask: 'GET /v2/web', status: 404 },
    { ask: 'GET /v2/_catalog?n=-1', status: 400, code: 'PAGINATION_NUMBER_INVALID' },
  ]));

test('tags and repositories are listed by pages', async () => {
  using scratch = await ScratchRegistry.open();
  for (const repository of ['c', 'a/x', 'b']) await scratch.pushImage(repository, 'one', 'l');
  for (const tag of ['three', 'two']) await scratch.pushImage('b', tag, 'l');
  const list = async (path: string) => {
    const { text, headers } = await scratch.ask('GET', path);
    return [JSON.parse(text), headers['link']];
  };
  assert.deepEqual(await list('/v2/_catalog'), [{ repositories: ['a/x', 'b', 'c'] }, undefined]);
  assert.deepEqual(await list('/v2/_catalog?n=2'), [
    { repositories: ['a/x', 'b'] },
    '</v2/_catalog?n=2&last=b>; rel="next"',
  ]);
  assert.deepEqual(await list('/v2/_catalog?n=2&last=b'), [{ repositories: ['c'] }, undefined]);
  assert.deepEqual(await list('/v2/b/tags/list?n=1&last=one'), [
    { name: 'b', tags: ['three'] },
    '</v2/b/tags/list?n=1&last=three>; rel="next"',
  ]);
  assert.deepEqual(await list(`/v2/b/tags/list?n=${MAX_PAGE * 2}`), [
    { name: 'b', tags: ['one', 'three', 'two'] },
    undefined,
  ]);
  assert.deepEqual(await list('/v2/_catalog?n=0'), [{ repositories: [] }, undefined]);
});

test('manifests that refer to another are listed, by type of artifact where asked', () => {
  const subject = descriptorOf(MANIFEST, MediaType.manifest);
  const signature = manifestOf('{}', [LAYER], {
    subject,
    artifactType: 'application/x.signature',
    annotations: { by: 'me' },
  });
  const bill = manifestOf('{}', [LAYER], { subject, artifactType: 'application/x.bill' });
  const put = (body: string): Step => ({
    ask: `PUT /v2/team/web/manifests/${digestOf(body)}`,
    body,
    headers: MANIFEST_HEADERS,
    status: 201,
    expect: { 'oci-subject': digestOf(MANIFEST) },
  });
  const shown = {
    ...descriptorOf(signature, MediaType.manifest),
    artifactType: 'application/x.signature',
    annotations: { by: 'me' },
  };
  return check([
    {
      ask: `GET /v2/team/web/referrers/${OTHER}`,
      status: 200,
      text: JSON.stringify({ schemaVersion: 2, mediaType: MediaType.index, manifests: [] }),
    },
    ...pushed(),
    put(signature),
    put(bill),
    {
      ask: `GET /v2/team/web/referrers/${digestOf(MANIFEST)}?artifactType=application/x.signature`,
      status: 200,
      text: JSON.stringify({ schemaVersion: 2, mediaType: MediaType.index, manifests: [shown] }),
      expect: { 'oci-filters-applied': 'artifactType', 'content-type': MediaType.index },
    },
  ]);
});

test('a tag, a manifest and a blob are deleted, each once, and no blob that a manifest needs', () =>
  check([
    ...pushed(),
    { ask: `DELETE /v2/team/web/blobs/${DIGEST}`, status: 403, code: 'DENIED' },
    { ask: 'DELETE /v2/team/web/manifests/1', status: 202 },
    { ask: 'DELETE /v2/team/web/manifests/1', status: 404, code: 'MANIFEST_UNKNOWN' },
    { ask: `GET /v2/team/web/manifests/${digestOf(MANIFEST)}`, status: 200 },
    { ask: `DELETE /v2/team/web/manifests/${digestOf(MANIFEST)}`, status: 202 },
    { ask: `GET /v2/team/web/manifests/${digestOf(MANIFEST)}`, status: 404 },
    { ask: `DELETE /v2/team/web/blobs/${DIGEST}`, status: 202 },
    { ask: `DELETE /v2/team/web/blobs/${DIGEST}`, status: 404, code: 'BLOB_UNKNOWN' },
  ]));
