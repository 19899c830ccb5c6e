/** What a driver has found as a proposal: names made valid, and a model of what could be read. Pure. */
import { createHash } from 'node:crypto';
import type { BrowseEntry, FoundDevice } from '../edge/driver.ts';
import type { DeviceSpec, Visitor } from '../resources/device.ts';
import type { ModelProperty } from '../resources/device-model.ts';
import type { DeviceDiscovery, DeviceProposal } from '../resources/discovery.ts';
import { DEVICES_API_VERSION } from '../resources/group.ts';
import { parseValueType } from '../values/value-type.ts';

export interface Finding {
  readonly discovery: DeviceDiscovery;
  readonly node: string;
  readonly found: FoundDevice;
  /** RFC 3339. */
  readonly foundAt: string;
}

/** So much of a device's variables is proposed; the rest is for a person to choose. */
const MAX_VARIABLES = 1000;

/** The same finding gives the same name, and two nodes never the same. */
export function proposalOf({ discovery, node, found, foundAt }: Finding): DeviceProposal {
  const { name = '', namespace = '' } = discovery.metadata;
  const { protocol, connection = {} } = discovery.spec;
  const { fingerprint, description, endpoint, options } = found;
  const { properties, visitors } = variablesOf(found.variables ?? []);
  const model = { ...(description === undefined ? {} : { description }), properties };
  const device: DeviceSpec = {
    model: { name: `found-${protocol}-${hashOf(JSON.stringify(properties))}` },
    placement: { nodeName: node },
    protocol,
    connection: { ...connection, endpoint, ...(options === undefined ? {} : { options }) },
    visitors,
  };
  const label = nameFrom(found.name);
  return {
    apiVersion: DEVICES_API_VERSION,
    kind: 'DeviceProposal',
    metadata: { name: `${name.slice(0, MAX_PREFIX)}-${hashOf(`${node} ${protocol} ${fingerprint}`)}`, namespace },
    spec: {
      discovery: name,
      node,
      protocol,
      fingerprint: fingerprint.slice(0, MAX_FINGERPRINT),
      ...(description === undefined ? {} : { description: description.slice(0, MAX_DESCRIPTION) }),
      foundAt,
      device,
      model,
      ...(label === '' ? {} : { deviceName: label }),
    },
  };
}

const MAX_PREFIX = 200;
const MAX_FINGERPRINT = 128;
const MAX_DESCRIPTION = 4096;
const MAX_NAME = 63;

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 10);
}

/** As Kubernetes takes it; empty when nothing is left. */
function nameFrom(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, MAX_NAME)
    .replaceAll(/^-+|-+$/g, '');
}

function variablesOf(entries: readonly BrowseEntry[]) {
  const properties: ModelProperty[] = [];
  const visitors: Visitor[] = [];
  const taken = new Set<string>();
  for (const entry of entries.filter(({ kind }) => kind === 'Variable').slice(0, MAX_VARIABLES)) {
    const { address, type, unit, isWritable, description } = entry;
    if (type === undefined || typeof parseValueType(type, new Map()) === 'string') continue;
    const name = identifierFrom(entry.name, taken);
    taken.add(name);
    properties.push({
      name,
      type,
      ...(unit === undefined ? {} : { unit }),
      ...(isWritable === true ? { access: 'ReadWrite' as const } : {}),
      ...(description === undefined ? {} : { description }),
    });
    visitors.push({ property: name, address });
  }
  return { properties, visitors };
}

const MAX_IDENTIFIER = 56;

function identifierFrom(text: string, taken: ReadonlySet<string>): string {
  const plain = text.replaceAll(/[^A-Za-z0-9_]+/g, '_').slice(0, MAX_IDENTIFIER);
  const base = /^[A-Za-z_]/.test(plain) ? plain : `p_${plain}`;
  for (let number = 1; ; number++) {
    const name = number === 1 ? base : `${base}_${number}`;
    if (!taken.has(name)) return name;
  }
}
