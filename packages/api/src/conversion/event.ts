/** events.k8s.io/v1 Event, from the stored core/v1 and back: the same fields under the names that each group has for them. */
import type { KubeObject } from '../object.ts';
import type { Conversion } from './conversion.ts';

/** What differs: the name in core/v1, and that in events.k8s.io/v1. */
const NAMES: readonly (readonly [core: string, events: string])[] = [
  ['involvedObject', 'regarding'],
  ['message', 'note'],
  ['reportingComponent', 'reportingController'],
  ['source', 'deprecatedSource'],
  ['firstTimestamp', 'deprecatedFirstTimestamp'],
  ['lastTimestamp', 'deprecatedLastTimestamp'],
  ['count', 'deprecatedCount'],
];
const TO_EVENTS: ReadonlyMap<string, string> = new Map(NAMES);
const TO_CORE: ReadonlyMap<string, string> = new Map(NAMES.map(([core, events]) => [events, core]));

export const eventsV1: Conversion = {
  toServed: (stored) => renamed(stored, TO_EVENTS, 'events.k8s.io/v1'),
  toStored: (served) => renamed(served, TO_CORE, 'v1'),
};

function renamed(event: KubeObject, names: ReadonlyMap<string, string>, apiVersion: string): KubeObject {
  const fields = Object.entries(event).map(([name, value]) => [names.get(name) ?? name, value] as const);
  return { ...(Object.fromEntries(fields) as KubeObject), apiVersion };
}
