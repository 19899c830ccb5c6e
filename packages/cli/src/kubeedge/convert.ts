/** KubeEdge's DeviceModels and Devices (devices.kubeedge.io/v1beta1) as ours, and by name what could not be carried over. Pure. */
import type { KubeObject } from '@skerry/api';
import { DEVICES_API_VERSION } from '@skerry/devices';
import { connectionOf, visitorOf } from './protocols.ts';
import { type Config, identifier, type KubeEdgeDevice, type KubeEdgeModel, type Leave, scanClassOf } from './terms.ts';

const KUBEEDGE_API_VERSION = 'devices.kubeedge.io/v1beta1';

export interface Converted {
  readonly objects: readonly KubeObject[];
  /** `Device default/pump: property speed: reportCycle`, each with why. */
  readonly left: readonly string[];
}

export function convertKubeEdge(objects: readonly KubeObject[]): Converted {
  const left: string[] = [];
  const models = new Map(
    objects.filter(isKind('DeviceModel')).map((each) => [each.metadata.name, each as KubeEdgeModel]),
  );
  const namespaces = new Map<string, string>();
  const converted = objects.flatMap((object): readonly KubeObject[] => {
    const { namespace, name = '' } = object.metadata;
    const title = `${object.kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`;
    const leave: Leave = (what, why) => void left.push(`${title}: ${what}: ${why}`);
    if (isKind('DeviceModel')(object)) {
      const first = namespaces.get(name) ?? namespace ?? 'default';
      namespaces.set(name, first);
      if (first === (namespace ?? 'default')) return [modelOf(object as KubeEdgeModel, leave)];
      leave('metadata.namespace', `models have none here, and there is one of this name from ${first}`);
      return [];
    }
    if (isKind('Device')(object)) return [deviceOf(object as KubeEdgeDevice, models, leave)];
    leave(object.apiVersion, `only Device and DeviceModel of ${KUBEEDGE_API_VERSION} are taken`);
    return [];
  });
  return { objects: converted, left };
}

const isKind =
  (kind: string) =>
  (object: KubeObject): boolean =>
    object.apiVersion === KUBEEDGE_API_VERSION && object.kind === kind;

const TYPES: Readonly<Record<string, string>> = {
  INT: 'int64',
  FLOAT: 'float32',
  DOUBLE: 'float64',
  STRING: 'string',
  BOOLEAN: 'bool',
  BYTES: 'bytes',
};

/** What people write where we want UCUM. */
const UNITS: Readonly<Record<string, string>> = {
  'degree celsius': 'Cel',
  celsius: 'Cel',
  '°c': 'Cel',
  '℃': 'Cel',
  percent: '%',
  '%': '%',
  v: 'V',
  a: 'A',
  w: 'W',
  kw: 'kW',
  kwh: 'kW.h',
  hz: 'Hz',
  pa: 'Pa',
  bar: 'bar',
  m: 'm',
  kg: 'kg',
  s: 's',
};

function modelOf({ metadata, spec = {} }: KubeEdgeModel, leave: Leave): KubeObject {
  const properties = (spec.properties ?? []).flatMap((property) => {
    const at = `property ${property.name}`;
    const type = TYPES[(property.type ?? 'STRING').toUpperCase()];
    if (type === undefined) {
      leave(at, `there is no type for ${property.type}`);
      return [];
    }
    const unit = property.unit === undefined || property.unit === '' ? undefined : UNITS[property.unit.toLowerCase()];
    if (property.unit && unit === undefined)
      leave(`${at}: unit`, `${property.unit} is no UCUM code that is known here`);
    return [
      {
        name: identifier(property.name, leave),
        type,
        ...(property.description === undefined ? {} : { description: property.description }),
        ...(unit === undefined ? {} : { unit }),
        ...(property.accessMode === 'ReadWrite' ? { access: 'ReadWrite' } : {}),
        ...limit('minimum', property.minimum),
        ...limit('maximum', property.maximum),
      },
    ];
  });
  const labels = metadata.labels === undefined ? {} : { labels: metadata.labels };
  return {
    apiVersion: DEVICES_API_VERSION,
    kind: 'DeviceModel',
    metadata: { name: metadata.name ?? '', ...labels },
    spec: { version: '1.0.0', properties },
  };
}

function limit(name: 'minimum' | 'maximum', text: string | undefined): object {
  const number = Number(text);
  return text === undefined || text === '' || Number.isNaN(number) ? {} : { [name]: number };
}

function deviceOf(
  { metadata, spec = {} }: KubeEdgeDevice,
  models: ReadonlyMap<string | undefined, KubeEdgeModel>,
  leave: Leave,
): KubeObject {
  const { protocolName = '', configData = {} } = spec.protocol ?? {};
  const model = models.get(spec.deviceModelRef?.name);
  const desired: Record<string, object> = {};
  const visitors = (spec.properties ?? []).map((property) => {
    const at = `property ${property.name}`;
    const name = identifier(property.name, () => {});
    const type = model?.spec?.properties?.find((each) => each.name === property.name)?.type?.toUpperCase();
    if (property.pushMethod !== undefined)
      leave(`${at}: pushMethod`, 'values go on the data bus, and rules send them on');
    if (property.reportCycle !== undefined)
      leave(`${at}: reportCycle`, 'spec.reporting.interval is for the whole device');
    if (property.reportToCloud === false) leave(`${at}: reportToCloud`, 'what is read is reported');
    const value = property.desired?.value;
    if (value !== undefined && value !== '') desired[name] = { value: typed(value, type) };
    return {
      property: name,
      ...visitorOf(protocolName, property.visitors?.configData ?? {}, type, (what, why) =>
        leave(`${at}: ${what}`, why),
      ),
      ...(property.collectCycle === undefined ? {} : { scanClass: scanClassOf(property.collectCycle) }),
    };
  });
  for (const { name = '', propertyNames = [] } of spec.methods ?? []) {
    const values = propertyNames.map((property) => `${identifier(property, () => {})}=…`).join(' ');
    leave(`method ${name}`, `it sets properties: skerry device set ${metadata.name ?? ''} ${values}`);
  }
  const { namespace = 'default', labels } = metadata;
  return {
    apiVersion: DEVICES_API_VERSION,
    kind: 'Device',
    metadata: { name: metadata.name ?? '', namespace, ...(labels === undefined ? {} : { labels }) },
    spec: {
      model: { name: spec.deviceModelRef?.name ?? '' },
      ...(spec.nodeName === undefined ? {} : { placement: { nodeName: spec.nodeName } }),
      ...connectionOf(protocolName, configData as Config, leave),
      visitors,
      ...(Object.keys(desired).length === 0 ? {} : { desired }),
    },
  };
}

/** KubeEdge writes every value as a text. */
function typed(value: string, type: string | undefined): unknown {
  if (type === 'BOOLEAN') return value === 'true' || value === '1';
  if ((type === 'INT' || type === 'FLOAT' || type === 'DOUBLE') && !Number.isNaN(Number(value))) return Number(value);
  return value;
}
