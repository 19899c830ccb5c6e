/**
 * The ranges that Services have their addresses from, and an IPAddress for each address that one has. The server gives the
 * addresses when a Service is written; here it is written down whose they are, and no range goes while one of it is in use.
 */
import { type Gvr, isStatus } from '@skerry/api';
import type { Condition, IPAddress, Service, ServiceCIDR } from '@skerry/api/types';
import { type ControllerSpec, type Informer, keyOf, type Requeue, reading, watching } from '@skerry/kube/controller';
import type { CloudContext } from '../context.ts';
import { SERVICES } from '../resources.ts';
import { formatTime } from '../timestamps.ts';
import { createIfMissing, deleteIfThere, refOf } from '../writes.ts';
import { isWithin, rangesOf } from './ranges.ts';

const networking = (resource: string): Gvr => ({ group: 'networking.k8s.io', version: 'v1', resource });
export const IP_ADDRESSES = networking('ipaddresses');
export const SERVICE_CIDRS = networking('servicecidrs');

/** The range that there always is; allocation in the server knows it too. */
const DEFAULT_NAME = 'kubernetes';
const DEFAULT_RANGE = '10.96.0.0/12';

const FINALIZER = 'networking.k8s.io/service-cidr-finalizer';
const MANAGED_BY = 'ipaddress.kubernetes.io/managed-by';
const MANAGER = 'ipallocator.k8s.io';
const FAMILY = 'ipaddress.kubernetes.io/ip-family';

/** An address that went from one Service to another waits for the first one's object to go. */
const RECHECK_MS = 1000;

const BY_SERVICE = 'service';

export function ipAddressController({ client, informers }: CloudContext): ControllerSpec {
  const services = informers.informer<Service>({ gvr: SERVICES });
  const addresses = informers.informer<IPAddress>({ gvr: IP_ADDRESSES });
  addresses.addIndex(BY_SERVICE, (address) => serviceOf(address));
  return {
    name: 'ip-address',
    watches: [
      watching(services, ({ object }) => [keyOf(object)]),
      watching(addresses, ({ object }) => serviceOf(object)),
    ],
    reconcile: async (key): Promise<Requeue | undefined> => {
      const service = services.cache.get(key);
      const wanted = service === undefined ? [] : addressesOf(service);
      const existing = addresses.cache.byIndex(BY_SERVICE, key);
      for (const address of existing) {
        if (!wanted.includes(address.metadata.name ?? '')) await deleteIfThere(client, refOf(IP_ADDRESSES, address));
      }
      let isWaiting = false;
      for (const ip of wanted) {
        if (service === undefined || existing.some(({ metadata }) => metadata.name === ip)) continue;
        const isMade = await createIfMissing(client, IP_ADDRESSES, addressFor(service, ip));
        isWaiting ||= !isMade;
      }
      return isWaiting ? { afterMs: RECHECK_MS } : undefined;
    },
  };
}

/** The key of the Service whose address this is; none where somebody else wrote it down. */
function serviceOf({ metadata, spec }: IPAddress): readonly string[] {
  const { resource, namespace = '', name } = spec.parentRef;
  return metadata.labels?.[MANAGED_BY] === MANAGER && resource === 'services' ? [`${namespace}/${name}`] : [];
}

function addressesOf({ spec }: Service): readonly string[] {
  const { clusterIP = '', clusterIPs = [clusterIP] } = spec ?? {};
  return clusterIPs.filter((ip) => ip !== '' && ip !== 'None');
}

function addressFor({ metadata }: Service, ip: string): IPAddress {
  const { name = '', namespace = '' } = metadata;
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'IPAddress',
    metadata: { name: ip, labels: { [FAMILY]: ip.includes(':') ? 'IPv6' : 'IPv4', [MANAGED_BY]: MANAGER } },
    spec: { parentRef: { group: '', resource: 'services', namespace, name } },
  };
}

export function serviceCidrController(context: CloudContext): ControllerSpec {
  const { client, informers } = context;
  const ranges = informers.informer<ServiceCIDR>({ gvr: SERVICE_CIDRS });
  const addresses = informers.informer<IPAddress>({ gvr: IP_ADDRESSES });
  const goingRanges = () => ranges.cache.list().filter(isGoing).map(keyOf);
  return {
    name: 'service-cidr',
    watches: [watching(ranges, ({ object }) => [keyOf(object), ...goingRanges()]), watching(addresses, goingRanges)],
    reads: [reading(ranges), reading(addresses)],
    initialKeys: [DEFAULT_NAME],
    reconcile: async (key) => {
      const range = ranges.cache.get(key);
      if (range === undefined) {
        if (key === DEFAULT_NAME) await createIfMissing(client, SERVICE_CIDRS, defaultRange());
        return undefined;
      }
      try {
        if (isGoing(range)) await letGo(context, range, isInUse(range, { ranges, addresses }));
        else await welcome(context, range);
      } catch (error) {
        // Who changed it meanwhile brings it here again.
        if (!isStatus(error, 'Conflict', 'NotFound')) throw error;
      }
      return undefined;
    },
  };
}

function defaultRange(): ServiceCIDR {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'ServiceCIDR',
    metadata: { name: DEFAULT_NAME },
    spec: { cidrs: [DEFAULT_RANGE] },
  };
}

function isGoing({ metadata }: ServiceCIDR): boolean {
  return metadata.deletionTimestamp !== undefined;
}

interface Known {
  readonly ranges: Informer<ServiceCIDR>;
  readonly addresses: Informer<IPAddress>;
}

/** Whether an address is of this range and of none that stays. */
function isInUse(range: ServiceCIDR, { ranges, addresses }: Known): boolean {
  const own = rangesOf(range.spec?.cidrs ?? []);
  const staying = rangesOf(ranges.cache.list().flatMap((each) => (isGoing(each) ? [] : (each.spec?.cidrs ?? []))));
  const names = addresses.cache.list().map(({ metadata }) => metadata.name ?? '');
  return names.some((ip) => isWithin(own, ip) && !isWithin(staying, ip));
}

async function welcome(context: CloudContext, range: ServiceCIDR): Promise<void> {
  const { metadata } = range;
  if (metadata.finalizers?.includes(FINALIZER) !== true) {
    const finalizers = [...(metadata.finalizers ?? []), FINALIZER];
    await context.client.update(SERVICE_CIDRS, { ...range, metadata: { ...metadata, finalizers } });
    return;
  }
  await setReady(context, range, { status: 'True', reason: '', message: 'Kubernetes Service CIDR is ready' });
}

async function letGo(context: CloudContext, range: ServiceCIDR, inUse: boolean): Promise<void> {
  const { metadata } = range;
  if (metadata.finalizers?.includes(FINALIZER) !== true) return;
  if (inUse) {
    const message =
      'There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR';
    await setReady(context, range, { status: 'False', reason: 'Terminating', message });
    return;
  }
  const finalizers = metadata.finalizers.filter((finalizer) => finalizer !== FINALIZER);
  await context.client.update(SERVICE_CIDRS, { ...range, metadata: { ...metadata, finalizers } });
}

async function setReady(
  { client, clock }: CloudContext,
  range: ServiceCIDR,
  wanted: Pick<Condition, 'status' | 'reason' | 'message'>,
): Promise<void> {
  const { conditions = [] } = range.status ?? {};
  const ready = conditions.find(({ type }) => type === 'Ready');
  if (ready?.status === wanted.status && ready.reason === wanted.reason) return;
  const condition = { type: 'Ready', lastTransitionTime: formatTime(clock.now()), ...wanted };
  const others = conditions.filter(({ type }) => type !== 'Ready');
  const status = { ...range.status, conditions: [...others, condition] };
  await client.update(SERVICE_CIDRS, { ...range, status }, { subresource: 'status' });
}
