import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scratchServer } from './testing/scratch-server.ts';

const CORE = '/api/v1/namespaces/default/events';
const EVENTS = '/apis/events.k8s.io/v1/namespaces/default/events';
const MERGE = { 'content-type': 'application/merge-patch+json' };

const NEW = {
  apiVersion: 'events.k8s.io/v1',
  kind: 'Event',
  metadata: { name: 'e1' },
  regarding: { kind: 'Pod', namespace: 'default', name: 'web' },
  eventTime: '2026-01-02T03:04:05.123456Z',
  note: 'it was tried',
  reason: 'Tried',
  action: 'Try',
  type: 'Normal',
  reportingController: 'example.com/tester',
  reportingInstance: 'tester-1',
};

const OLD = {
  apiVersion: 'v1',
  kind: 'Event',
  metadata: { name: 'e2' },
  involvedObject: { kind: 'Pod', namespace: 'default', name: 'db' },
  message: 'it was seen',
  reason: 'Seen',
  type: 'Warning',
  source: { component: 'kubelet', host: 'n1' },
  firstTimestamp: '2026-01-02T03:04:05Z',
  lastTimestamp: '2026-01-02T03:05:05Z',
  count: 2,
};

/** The fields that are refused, with what is said of them. */
async function refused(change: object, old?: object): Promise<string[]> {
  const { ask } = scratchServer();
  if (old !== undefined) await ask('POST', EVENTS, { body: { ...NEW, ...old } });
  const body = { ...NEW, ...change };
  const answer = old === undefined ? await ask('POST', EVENTS, { body }) : await ask('PUT', `${EVENTS}/e1`, { body });
  if (answer.status < 300) return [];
  assert.equal(answer.status, 422, answer.text);
  return answer.json.details.causes.map((each: { field: string; message: string }) => `${each.field}: ${each.message}`);
}

test('an event written in one group is the same event in the other', async () => {
  const { ask } = scratchServer();
  const created = await ask('POST', EVENTS, { body: NEW });
  assert.equal(created.status, 201, created.text);
  assert.equal(created.json.note, NEW.note);
  const core = (await ask('GET', `${CORE}/e1`)).json;
  assert.deepEqual(
    [core.apiVersion, core.message, core.involvedObject, core.reportingComponent, core.note],
    ['v1', NEW.note, NEW.regarding, NEW.reportingController, undefined],
  );
  await ask('POST', CORE, { body: OLD });
  const { json } = await ask('GET', `${EVENTS}/e2`);
  assert.deepEqual(
    [json.apiVersion, json.note, json.regarding, json.deprecatedSource, json.deprecatedCount, json.count],
    ['events.k8s.io/v1', OLD.message, OLD.involvedObject, OLD.source, 2, undefined],
  );
  assert.equal(json.deprecatedLastTimestamp, OLD.lastTimestamp);
  const listed = (await ask('GET', EVENTS)).json;
  assert.deepEqual(
    listed.items.map((each: { apiVersion: string; note: string }) => [each.apiVersion, each.note]),
    [
      ['events.k8s.io/v1', NEW.note],
      ['events.k8s.io/v1', OLD.message],
    ],
  );
  assert.equal((await ask('POST', CORE, { body: { ...OLD, metadata: { name: 'e1' } } })).status, 409);
  await ask('DELETE', `${EVENTS}/e2`);
  assert.equal((await ask('GET', `${CORE}/e2`)).status, 404);
  assert.equal((await ask('DELETE', EVENTS)).status, 200);
  assert.deepEqual((await ask('GET', CORE)).json.items, []);
});

test('field selectors go by the names of the group that is asked', async () => {
  const { ask } = scratchServer();
  await ask('POST', EVENTS, { body: NEW });
  await ask('POST', CORE, { body: OLD });
  const found = async (base: string, selector: string) => {
    const { status, json } = await ask('GET', `${base}?fieldSelector=${encodeURIComponent(selector)}`);
    return status === 200 ? json.items.map((each: { metadata: { name: string } }) => each.metadata.name) : status;
  };
  assert.deepEqual(await found(EVENTS, 'regarding.name=db'), ['e2']);
  assert.deepEqual(await found(EVENTS, 'reportingController=example.com/tester,type=Normal'), ['e1']);
  assert.deepEqual(await found(CORE, 'involvedObject.name=web'), ['e1']);
  assert.deepEqual(await found(CORE, 'source=kubelet'), ['e2']);
  assert.equal(await found(EVENTS, 'involvedObject.name=web'), 400);
  assert.equal(await found(CORE, 'regarding.name=web'), 400);
});

test('a watch speaks the group it was asked in, also when both are watched at once', async () => {
  const { ask, watch } = scratchServer();
  const { json } = await ask('POST', CORE, { body: OLD });
  const from = `watch=1&resourceVersion=${json.metadata.resourceVersion}`;
  const both = [watch(`${EVENTS}?${from}&fieldSelector=regarding.name%3Dweb`, 2), watch(`${CORE}?${from}`, 2)];
  await ask('POST', EVENTS, { body: NEW });
  const series = { count: 2, lastObservedTime: '2026-01-02T03:05:05.000000Z' };
  const patched = await ask('PATCH', `${EVENTS}/e1`, { body: { series }, headers: MERGE });
  assert.deepEqual(patched.json.series, series);
  const [events, core] = (await Promise.all(both)) as { type: string; object: Record<string, unknown> }[][];
  const brief = (each: { type: string; object: Record<string, unknown> }) => [
    each.type,
    each.object['apiVersion'],
    each.object['note'] ?? each.object['message'],
  ];
  assert.deepEqual(events?.map(brief), [
    ['ADDED', 'events.k8s.io/v1', NEW.note],
    ['MODIFIED', 'events.k8s.io/v1', NEW.note],
  ]);
  assert.deepEqual(core?.map(brief), [
    ['ADDED', 'v1', NEW.note],
    ['MODIFIED', 'v1', NEW.note],
  ]);
});

test('what comes through events.k8s.io is of the newer form', async () => {
  assert.deepEqual(await refused({}), []);
  assert.deepEqual(await refused({ eventTime: null }), ['eventTime: Required value']);
  assert.deepEqual(await refused({ type: 'Other', deprecatedCount: 1, deprecatedSource: { component: 'x' } }), [
    'type: Invalid value: "": has invalid value: Other',
    'count: Invalid value: "": needs to be unset',
    'source: Invalid value: "": needs to be unset',
  ]);
  assert.deepEqual(await refused({ action: '', reason: 'r'.repeat(129), note: 'n'.repeat(1025) }), [
    'action: Required value',
    'reason: Invalid value: "": can have at most 128 characters',
    'message: Invalid value: "": can have at most 1024 characters',
  ]);
  assert.deepEqual(await refused({ series: { count: 1 } }), [
    'series.count: Invalid value: "": should be at least 2',
    'series.lastObservedTime: Required value',
  ]);
  assert.deepEqual(await refused({ regarding: { kind: 'Node', name: 'n1' } }), []);
});

test('of an event that was written only its series goes on', async () => {
  const series = { count: 2, lastObservedTime: '2026-01-02T03:05:05.000000Z' };
  assert.deepEqual(await refused({ series }, {}), []);
  assert.deepEqual(await refused({ eventTime: '2026-01-02T03:04:05.123456789Z' }, {}), []);
  const [first, second] = await refused({ note: 'another', eventTime: '2026-01-02T03:04:06.000000Z' }, {});
  assert.match(first ?? '', /^message: Invalid value: "another": field is immutable/);
  assert.match(second ?? '', /^eventTime: Invalid value: .*: field is immutable/);
});

test('core/v1 asks the newer form only of events with a time of their own', async () => {
  const { ask } = scratchServer();
  const timed = { ...OLD, eventTime: '2026-01-02T03:04:05.000000Z' };
  const { status, json } = await ask('POST', CORE, { body: timed });
  assert.equal(status, 422);
  const fields = json.details.causes.map(({ field }: { field: string }) => field);
  assert.deepEqual([...new Set(fields)], ['reportingComponent', 'reportingInstance', 'action']);
  const astray = { ...OLD, involvedObject: { ...OLD.involvedObject, namespace: 'other' } };
  assert.deepEqual(
    (await ask('POST', CORE, { body: astray })).json.details.causes[0].field,
    'involvedObject.namespace',
  );
});

test('both groups are discovered, and print the same Table', async () => {
  const { ask } = scratchServer();
  const { resources } = (await ask('GET', '/apis/events.k8s.io/v1')).json;
  assert.deepEqual(
    resources.map(({ name, kind }: { name: string; kind: string }) => [name, kind]),
    [['events', 'Event']],
  );
  await ask('POST', EVENTS, { body: NEW });
  const headers = { accept: 'application/json;as=Table;g=meta.k8s.io;v=v1' };
  const cells = async (base: string) => (await ask('GET', base, { headers })).json.rows[0].cells.slice(1, 4);
  assert.deepEqual(await cells(EVENTS), ['Normal', 'Tried', 'pod/web']);
  assert.deepEqual(await cells(CORE), await cells(EVENTS));
});
