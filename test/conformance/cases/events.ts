/** Events as events.k8s.io has them. */
import assert from 'node:assert/strict';
import type { KubeObject } from '@skerry/api';
import type { Collection } from '../collection.ts';
import { absent, type Lab } from '../lab.ts';
import { type Requirement, requirement } from '../requirement.ts';

interface Event extends KubeObject {
  readonly note?: string;
  readonly series?: { readonly count: number; readonly lastObservedTime: string };
}

const CONTROLLER = 'conformance-controller';

export const EVENTS_API: readonly Requirement[] = [
  requirement(
    '[sig-instrumentation] Events API should ensure that an event can be fetched, patched, deleted, and listed',
    'an Event of events.k8s.io is created, selected by its controller, patched and replaced in its series, read by core/v1, and deleted',
    async (lab) => {
      const events = eventsOf(lab);
      await events.create(event(lab, 'one'));
      const query = { fieldSelector: `reportingController=${CONTROLLER}`, labelSelector: `suite=${lab.id}` };
      for (const place of [events, eventsOf(lab, false)]) assert.equal((await place.list(query)).items.length, 1);
      const first = { count: 2, lastObservedTime: '2026-01-02T03:05:05.000000Z' };
      const patched = await events.patch('one', { series: first }, 'strategic');
      assert.deepEqual(patched.series, first);
      const next = { count: 100, lastObservedTime: '2026-01-02T03:06:05.000000Z' };
      await events.replace({ ...(await events.get('one')), series: next });
      assert.deepEqual((await events.get('one')).series, next);
      assert.equal((await lab.of('Event').get('one')).message, 'This is one');
      await events.delete('one');
      await absent(events.get('one'));
      assert.deepEqual((await events.list(query)).items, []);
    },
  ),
  requirement(
    '[sig-instrumentation] Events API should delete a collection of events',
    'Events of events.k8s.io are listed by a label and deleted by it as one collection',
    async (lab) => {
      const events = eventsOf(lab);
      const labelSelector = `suite=${lab.id}`;
      for (const name of ['one', 'two', 'three']) await events.create(event(lab, name));
      assert.equal((await eventsOf(lab, false).list({ labelSelector })).items.length, 3);
      await events.deleteAll(labelSelector);
      assert.deepEqual((await events.list({ labelSelector })).items, []);
    },
  ),
];

function eventsOf(lab: Lab, isInNamespace = true): Collection<Event> {
  const place = { apiVersion: 'events.k8s.io/v1', kind: 'Event', resource: 'events' };
  return lab.collection<Event>({ ...place, ...(isInNamespace ? { namespace: lab.namespace } : {}) });
}

function event({ namespace, id }: Lab, name: string): object {
  return {
    metadata: { name, labels: { suite: id } },
    regarding: { namespace },
    eventTime: '2026-01-02T03:04:05.000000Z',
    note: `This is ${name}`,
    action: 'Do',
    reason: 'Test',
    type: 'Normal',
    reportingController: CONTROLLER,
    reportingInstance: 'conformance-node',
  };
}
