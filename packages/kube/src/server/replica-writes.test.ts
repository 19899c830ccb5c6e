import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StatusError } from '@skerry/api';
import type { PlannedWrite } from './replica-writes.ts';
import { type ScratchServer, scratchServer } from './testing/scratch-server.ts';

const MAPS = '/api/v1/namespaces/default/configmaps';

/** An edge that takes events, forwards ConfigMaps, and refuses the rest; the cloud answers 200 to everything. */
function edge(): ScratchServer & { judged: PlannedWrite[]; forwarded: string[] } {
  const judged: PlannedWrite[] = [];
  const forwarded: string[] = [];
  const scratch = scratchServer({
    replica: {
      writePolicy: (write) => {
        judged.push(write);
        if (write.row.gvr.resource === 'events') return 'allow';
        if (write.row.gvr.resource === 'configmaps') return 'forward';
        return new StatusError(503, 'ServiceUnavailable', 'cut off');
      },
      forward: ({ method, path }) => {
        forwarded.push(`${method} ${path}`);
        return Promise.resolve({ status: 200, headers: {}, body: '{}' });
      },
    },
  });
  return { ...scratch, judged, forwarded };
}

test('what is not the edge its own to write is answered by the cloud, also when the replica does not hold it', async () => {
  const { ask, forwarded, options } = edge();
  const { revision } = options.store;
  assert.equal((await ask('POST', MAPS, { body: { metadata: { name: 'm' } } })).status, 200);
  assert.equal((await ask('PUT', `${MAPS}/m`, { body: { metadata: { name: 'm' } } })).status, 200);
  assert.equal((await ask('DELETE', `${MAPS}/m`)).status, 200);
  assert.deepEqual(forwarded, [`POST ${MAPS}`, `PUT ${MAPS}/m`, `DELETE ${MAPS}/m`]);
  assert.equal(options.store.revision, revision);
});

test('what is the edge its own is kept here, in a namespace that it does not know', async () => {
  const { ask, judged } = edge();
  const event = { metadata: { name: 'e' }, involvedObject: { namespace: 'far' }, reason: 'Seen' };
  const { status } = await ask('POST', '/api/v1/namespaces/far/events', { body: event });
  assert.equal(status, 201);
  assert.deepEqual([judged[0]?.verb, judged[0]?.name, judged[0]?.namespace], ['create', 'e', 'far']);
});

test('what may not be written while cut off says so', async () => {
  const { ask } = edge();
  const { status, json } = await ask('POST', '/api/v1/namespaces/default/secrets', {
    body: { metadata: { name: 's' } },
  });
  assert.deepEqual([status, json.message], [503, 'cut off']);
});
