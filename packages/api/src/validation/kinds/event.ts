/**
 * Events, of both groups. Whoever sets `eventTime` writes the newer form, of which more is asked; what comes through
 * events.k8s.io must be of that form. Faults are told by the names that core/v1 has for the fields.
 */
import { eventsV1 } from '../../conversion/event.ts';
import { isObject, type JsonObject, jsonEqual, numberAt, objectAt, textAt } from '../../json.ts';
import type { KubeObject } from '../../object.ts';
import { invalid, required } from '../../walker/field-errors.ts';
import { checkQualifiedName } from '../names.ts';
import { type Faults, isAbsent, present, problems } from './checks.ts';
import { byteLength } from './meta.ts';
import type { KindRules } from './rules.ts';

const MAX_NAME_BYTES = 128;
const MAX_MESSAGE_BYTES = 1024;
const LEAST_IN_SERIES = 2;

/** Homes of events that are about something without a namespace. */
const OF_CLUSTER: readonly string[] = ['', 'default'];
const OF_CLUSTER_TIMED: readonly string[] = ['default', 'kube-system'];

const NOT_AS_NEW = ['firstTimestamp', 'lastTimestamp', 'count', 'source'];
const IMMUTABLE = [
  'involvedObject',
  'reason',
  'message',
  'source',
  'firstTimestamp',
  'lastTimestamp',
  'count',
  'type',
  'eventTime',
  'action',
  'related',
  'reportingController',
  'reportingInstance',
];

export const eventRules: Readonly<Record<string, KindRules>> = {
  '/Event': { check: (faults, event) => checkEvent(faults, event, 'reportingComponent') },
  'events.k8s.io/Event': {
    check: (faults, event) => checkEvent(faults, core(event), 'reportingController'),
    create: (faults, event) => checkNew(faults, core(event)),
    update: (faults, event, old) => checkChange(faults, core(event), core(old)),
  },
};

function core(event: JsonObject): JsonObject {
  return eventsV1.toStored(event as KubeObject);
}

function checkEvent(faults: Faults, event: JsonObject, controllerField: string): void {
  const isTimed = !isAbsent(event['eventTime']);
  const about = textAt(event, 'involvedObject', 'namespace');
  const own = textAt(event, 'metadata', 'namespace');
  if (!isAtHome(about, own, isTimed)) {
    faults.push(invalid('involvedObject.namespace', about, 'does not match event.namespace'));
  }
  if (!isTimed) return;
  const controller = textAt(event, 'reportingComponent');
  present(faults, controllerField, controller);
  problems(faults, controllerField, controller, checkQualifiedName(controller));
  for (const field of ['reportingInstance', 'action', 'reason']) {
    if (present(faults, field, event[field])) checkLength(faults, event, field, MAX_NAME_BYTES);
  }
  checkLength(faults, event, 'message', MAX_MESSAGE_BYTES);
}

function isAtHome(about: string, own: string, isTimed: boolean): boolean {
  if (about === '') return (isTimed ? OF_CLUSTER_TIMED : OF_CLUSTER).includes(own);
  return isTimed || about === own;
}

function checkLength(faults: Faults, event: JsonObject, field: string, most: number): void {
  if (byteLength(textAt(event, field)) > most) faults.push(invalid(field, '', `can have at most ${most} characters`));
}

function checkNew(faults: Faults, event: JsonObject): void {
  checkSeries(faults, event);
  present(faults, 'eventTime', event['eventTime']);
  const type = textAt(event, 'type');
  if (type !== 'Normal' && type !== 'Warning') faults.push(invalid('type', '', `has invalid value: ${type}`));
  for (const field of NOT_AS_NEW) {
    if (fieldOf(event, field) !== undefined) faults.push(invalid(field, '', 'needs to be unset'));
  }
}

function checkSeries(faults: Faults, event: JsonObject): void {
  if (!isObject(event['series'])) return;
  const series = objectAt(event, 'series');
  if (numberAt(series, 'count') < LEAST_IN_SERIES) {
    faults.push(invalid('series.count', '', `should be at least ${LEAST_IN_SERIES}`));
  }
  if (isAbsent(series['lastObservedTime'])) faults.push(required('series.lastObservedTime'));
}

/** Of an event that was written, only its series goes on. */
function checkChange(faults: Faults, event: JsonObject, old: JsonObject): void {
  if (!jsonEqual(event['series'], old['series'])) checkSeries(faults, event);
  for (const field of IMMUTABLE) {
    const value = fieldOf(event, field);
    if (!jsonEqual(value, fieldOf(old, field))) faults.push(invalid(field, value ?? '', 'field is immutable'));
  }
}

/** A field as a typed object has it: what is empty is absent, and times are no finer than microseconds. */
function fieldOf(event: JsonObject, field: string): unknown {
  const value = event[field === 'reportingController' ? 'reportingComponent' : field];
  if (field === 'eventTime') return typeof value === 'string' ? microseconds(value) : undefined;
  if (isAbsent(value) || value === 0) return undefined;
  return isObject(value) && Object.values(value).every(isAbsent) ? undefined : value;
}

function microseconds(time: string): string {
  const [, fraction = ''] = /\.(\d+)/.exec(time) ?? [];
  return `${Math.floor(Date.parse(time) / 1000)}.${fraction.slice(0, 6).padEnd(6, '0')}`;
}
