/** What a proposal becomes, once somebody has said yes. Pure. */
import type { Connection, Device, DeviceSpec } from '../resources/device.ts';
import type { DeviceModel, DeviceModelSpec } from '../resources/device-model.ts';
import { type DeviceDiscovery, type DeviceProposal, FINGERPRINT_ANNOTATION } from '../resources/discovery.ts';
import { DEVICES_API_VERSION } from '../resources/group.ts';

export type Decision =
  | { readonly is: 'open' | 'rejected' | 'done' }
  | { readonly is: 'accepted'; readonly device: Device; readonly model?: DeviceModel };

/** `discovery`: the one that the proposal names, where it is there. Nothing that a node says makes a Device by itself. */
export function decide(
  proposal: DeviceProposal,
  discovery: DeviceDiscovery | undefined,
  hasModel: (name: string) => boolean,
): Decision {
  const { spec, status } = proposal;
  if (status?.device !== undefined) return { is: 'done' };
  if (spec.decision === 'Rejected') return { is: 'rejected' };
  const needsModel = !hasModel(spec.device.model.name);
  if (spec.decision !== 'Accepted' && !isAutomatic(proposal, discovery, needsModel)) return { is: 'open' };
  const model = needsModel ? modelOf(proposal) : undefined;
  return { is: 'accepted', device: deviceOf(proposal, discovery), ...(model === undefined ? {} : { model }) };
}

/** The policy's yes counts for what that discovery was to find, where it was to look, and for the models it names. */
function isAutomatic({ spec }: DeviceProposal, discovery: DeviceDiscovery | undefined, needsModel: boolean): boolean {
  const { policy, models } = discovery?.spec.approval ?? {};
  if (discovery === undefined || policy !== 'Automatic') return false;
  if (discovery.spec.protocol !== spec.protocol || spec.device.protocol !== spec.protocol) return false;
  if (discovery.status?.nodes?.includes(spec.node) !== true) return false;
  return models === undefined ? true : !needsModel && models.includes(spec.device.model.name);
}

/** A node names no Secret that its discovery does not name: otherwise finding a device would be a way to read it. */
function deviceOf({ metadata, spec }: DeviceProposal, discovery: DeviceDiscovery | undefined): Device {
  const { name = '', namespace = '' } = metadata;
  const device: DeviceSpec = {
    ...spec.device,
    protocol: spec.protocol,
    placement: { nodeName: spec.node },
    connection: connectionOf(spec.device.connection, discovery?.spec.connection),
  };
  return {
    apiVersion: DEVICES_API_VERSION,
    kind: 'Device',
    metadata: {
      name: spec.deviceName ?? name,
      namespace,
      annotations: { [FINGERPRINT_ANNOTATION]: spec.fingerprint },
      ...(discovery?.spec.labels === undefined ? {} : { labels: discovery.spec.labels }),
    },
    spec: device,
  };
}

function connectionOf(proposed: Connection = {}, discovery: Connection = {}): Connection {
  const { secretName: _secret, configMapName: _files, trustList: _trust, broker: _broker, ...plain } = proposed;
  const { secretName, configMapName, trustList, broker } = discovery;
  return {
    ...plain,
    ...(secretName === undefined ? {} : { secretName }),
    ...(configMapName === undefined ? {} : { configMapName }),
    ...(trustList === undefined ? {} : { trustList }),
    ...(broker === undefined ? {} : { broker }),
  };
}

function modelOf({ spec }: DeviceProposal): DeviceModel | undefined {
  if (spec.model === undefined) return undefined;
  return {
    apiVersion: DEVICES_API_VERSION,
    kind: 'DeviceModel',
    metadata: { name: spec.device.model.name },
    spec: spec.model as DeviceModelSpec,
  };
}
