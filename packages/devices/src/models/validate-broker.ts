/** What is wrong with an MqttBroker beyond what its schema says, held against what else listens at its nodes. Pure. */
import { isIP } from 'node:net';
import type { FieldError, KubeObject } from '@skerry/api';
import { problemOfFilter } from '../mqtt/topics.ts';
import type { Placement } from '../resources/device.ts';
import type { MqttBroker, MqttListener, MqttUser } from '../resources/mqtt-broker.ts';
import type { OpcUaServer } from '../resources/opcua-server.ts';
import { forbidden, invalid, required } from './field-errors.ts';

export interface OtherListeners {
  readonly brokers: () => readonly MqttBroker[];
  readonly servers: () => readonly OpcUaServer[];
}

/** Whether what it names is there is not asked: Secrets may come later, and the status says which are missing. */
export function validateBroker(broker: MqttBroker, others: OtherListeners): readonly FieldError[] {
  const { listeners = [], users = [], anonymous = false } = broker.spec;
  const hasCertificates = listeners.some(({ trustList }) => trustList !== undefined);
  const hasNamed = users.some(({ name }) => name !== ANONYMOUS);
  return [
    ...listeners.flatMap((listener, at) => checkListener(listener, `spec.listeners[${at}]`)),
    ...checkPorts(broker, others),
    ...users.flatMap((user, at) => checkUser(user, `spec.users[${at}]`, hasCertificates)),
    ...(anonymous || !users.some(({ name }) => name === ANONYMOUS) || hasNamed
      ? []
      : [forbidden('spec.users', 'nobody can come: the one user is that of clients without a name, who may not come')]),
  ];
}

/** What clients without a name may do is said under this one. */
const ANONYMOUS = 'anonymous';
const HOST_NAME = /^(?:\*\.)?[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$/;

function checkListener(
  { address = LOOPBACK, security, certificateSecretName, trustList, hostnames = [] }: MqttListener,
  path: string,
): readonly FieldError[] {
  const isPlain = security === 'Plain';
  const needsTls = (field: string, value: unknown) =>
    isPlain && value !== undefined
      ? [forbidden(`${path}.${field}`, 'the listener is plain, and has no certificates')]
      : [];
  return [
    ...(isIP(address) === 0 ? [invalid(`${path}.address`, address, 'is no IP address')] : []),
    ...needsTls('certificateSecretName', certificateSecretName),
    ...needsTls('trustList', trustList),
    ...hostnames.flatMap((name, at) =>
      isIP(name) !== 0 || HOST_NAME.test(name)
        ? []
        : [invalid(`${path}.hostnames[${at}]`, name, 'is neither a host name nor an IP address')],
    ),
  ];
}

function checkUser({ name, password, publish = [], subscribe = [] }: MqttUser, path: string, hasCertificates: boolean) {
  const lists = [
    ['publish', publish],
    ['subscribe', subscribe],
  ] as const;
  const errors = lists.flatMap(([list, filters]) =>
    filters.flatMap((filter, at) => {
      const why = problemOfPattern(filter, list === 'publish');
      return why === undefined ? [] : [invalid(`${path}.${list}[${at}]`, filter, why)];
    }),
  );
  if (password !== undefined || hasCertificates || name === ANONYMOUS) return errors;
  return [...errors, required(`${path}.password`, 'no listener has a trustList, so nobody comes with a certificate')];
}

function problemOfPattern(filter: string, isPublish: boolean): string | undefined {
  const unknown = /%(?![uc])./u.exec(filter)?.[0];
  if (unknown !== undefined) return `has ${unknown}; there are %u for the user name and %c for the client id`;
  const problem = problemOfFilter(filter);
  if (problem !== undefined) return problem;
  return isPublish && filter.startsWith('$') ? 'begins with $: nobody can publish there' : undefined;
}

// ——— ports ———

const LOOPBACK = '127.0.0.1';

interface Place {
  readonly address: string;
  readonly port: number;
}

function placesOf(broker: MqttBroker): readonly Place[] {
  return (broker.spec.listeners ?? []).map(({ address = LOOPBACK, port = 8883 }) => ({ address, port }));
}

function checkPorts(broker: MqttBroker, others: OtherListeners): readonly FieldError[] {
  const places = placesOf(broker);
  const names = (broker.spec.listeners ?? []).map(({ name }) => name);
  const neighbours = neighboursOf(broker, others);
  return places.flatMap((place, at) => {
    const path = `spec.listeners[${at}].port`;
    const own = places.slice(0, at).findIndex((each) => meet(each, place));
    if (own >= 0) return [invalid(path, place.port, `listener ${names[own]} has it at the same address`)];
    const other = neighbours.find((each) => meet(each, place));
    return other === undefined ? [] : [invalid(path, place.port, `${other.what} has it at node ${other.node}`)];
  });
}

/** Port 0 is one that is free. */
function meet(one: Place, other: Place): boolean {
  if (one.port === 0 || one.port !== other.port) return false;
  const isAny = ({ address }: Place) => address === '0.0.0.0' || address === '::';
  return one.address === other.address || isAny(one) || isAny(other);
}

interface Neighbour extends Place {
  readonly what: string;
  readonly node: string;
}

/** What listens at a node where the broker does; where labels have not led to a node yet, nobody knows. */
function neighboursOf(broker: MqttBroker, { brokers, servers }: OtherListeners): readonly Neighbour[] {
  const own = nodesOf(broker);
  if (own.size === 0) return [];
  const beside = (other: KubeObject, places: readonly Place[]): readonly Neighbour[] => {
    const [node] = own.intersection(nodesOf(other));
    if (node === undefined || isSameObject(broker, other)) return [];
    const what = `${other.kind} ${other.metadata.namespace ?? ''}/${other.metadata.name ?? ''}`;
    return places.map((place) => ({ ...place, what, node }));
  };
  return [
    ...brokers().flatMap((other) => beside(other, placesOf(other))),
    ...servers().flatMap((other) => {
      const { address = LOOPBACK, port = 4840 } = other.spec.listen ?? {};
      return beside(other, [{ address, port }]);
    }),
  ];
}

function nodesOf({ spec, status }: KubeObject): ReadonlySet<string> {
  const { placement } = spec as { readonly placement?: Placement };
  const { nodes = [] } = (status ?? {}) as { readonly nodes?: readonly string[] };
  return new Set(placement?.nodeName === undefined ? nodes : [placement.nodeName]);
}

function isSameObject(one: KubeObject, other: KubeObject): boolean {
  const { namespace, name } = other.metadata;
  return one.kind === other.kind && one.metadata.namespace === namespace && one.metadata.name === name;
}
