/** The discoveries of this node: each looks where it may, and proposes what it finds. */
import { isStatus } from '@skerry/api';
import { parseDuration } from '@skerry/api/durations';
import { type Clock, type Logger, messageOf } from '@skerry/base';
import type { Client } from '@skerry/kube/client';
import {
  type ControllerSpec,
  type Informer,
  keyOf,
  parseObjectKey,
  type Requeue,
  reading,
  watching,
} from '@skerry/kube/controller';
import { proposalOf } from '../../discovery/propose.ts';
import { protocolNamed } from '../../protocols/index.ts';
import { withDefaults } from '../../protocols/protocol.ts';
import type { Device } from '../../resources/device.ts';
import { type DeviceDiscovery, type DeviceDiscoveryStatus, FINGERPRINT_ANNOTATION } from '../../resources/discovery.ts';
import { DEVICE_DISCOVERIES, DEVICE_PROPOSALS } from '../../resources/group.ts';
import type { FoundDevice } from '../driver.ts';
import { DriverError } from '../driver-error.ts';
import { planConnection } from '../worker/device-plan.ts';
import type { Drivers } from '../worker/drivers.ts';
import { resolveSettings } from '../worker/settings.ts';

export interface DiscoveriesOptions {
  readonly node: string;
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  readonly drivers: Drivers;
  readonly discoveries: Informer<DeviceDiscovery>;
  readonly devices: Informer<Device>;
}

const DEFAULT_TIMEOUT_MS = 60_000;
const DEFAULT_MAX_PROPOSALS = 100;
/** A lower interval would be a flood of packets. */
const LEAST_INTERVAL_MS = 10_000;

/** A scan runs within its reconcile: the same discovery is never scanned twice at a time, and few of them at once. */
export function discoveryController(options: DiscoveriesOptions): ControllerSpec {
  const { discoveries, devices } = options;
  const scanned: Scanned = new Map();
  return {
    name: 'discoveries',
    watches: [watching(discoveries, ({ object }) => [keyOf(object)])],
    reads: [reading(devices)],
    reconcile: (key, signal) => reconcile(options, scanned, { key, signal }),
  };
}

/** By key: what was scanned by this process, of which the cache may not show the end yet. */
type Scanned = Map<string, { readonly generation: number; readonly at: number }>;

async function reconcile(
  options: DiscoveriesOptions,
  scanned: Scanned,
  { key, signal }: { readonly key: string; readonly signal: AbortSignal },
): Promise<Requeue | undefined> {
  const { discoveries, node, clock } = options;
  const discovery = discoveries.cache.get(key);
  if (discovery === undefined) scanned.delete(key);
  if (discovery === undefined || discovery.status?.nodes?.[0] !== node) return undefined;
  const due = dueAt(discovery, scanned.get(key));
  if (due > clock.now()) return Number.isFinite(due) ? { afterMs: due - clock.now() } : undefined;
  await scan(options, discovery, signal);
  if (!signal.aborted) scanned.set(key, { generation: discovery.metadata.generation ?? 0, at: clock.now() });
  return { afterMs: 0 };
}

/** Milliseconds since 1970; never, where it was done once and is to be done once. */
function dueAt({ spec, metadata, status = {} }: DeviceDiscovery, scanned = scannedBefore(status)): number {
  if (scanned === undefined || scanned.generation !== metadata.generation) return 0;
  const interval = spec.interval === undefined ? undefined : parseDuration(spec.interval);
  if (interval === undefined) return Number.POSITIVE_INFINITY;
  return scanned.at + Math.max(LEAST_INTERVAL_MS, interval);
}

/** By a process before this one. */
function scannedBefore({ phase, finishedAt, observedGeneration = 0 }: DeviceDiscoveryStatus) {
  if ((phase !== 'Done' && phase !== 'Failed') || finishedAt === undefined) return undefined;
  return { generation: observedGeneration, at: Date.parse(finishedAt) };
}

async function scan(options: DiscoveriesOptions, discovery: DeviceDiscovery, signal: AbortSignal): Promise<void> {
  const { clock } = options;
  const startedAt = timeText(clock);
  await tell(options, discovery, { phase: 'Scanning', startedAt, lastError: '' }, signal);
  let found = 0;
  try {
    for await (const each of findings(options, discovery, signal)) {
      if (await propose(options, discovery, each, signal)) found++;
    }
    await tell(options, discovery, { phase: 'Done', found, finishedAt: timeText(clock), lastError: '' }, signal);
  } catch (error) {
    if (signal.aborted) return;
    const lastError = messageOf(error);
    await tell(options, discovery, { phase: 'Failed', found, finishedAt: timeText(clock), lastError }, signal);
  }
}

/** Ends at its limit of time or number as at its end: what was found until then was found. */
async function* findings(
  { client, clock, drivers, log }: DiscoveriesOptions,
  { spec, metadata }: DeviceDiscovery,
  outer: AbortSignal,
): AsyncGenerator<FoundDevice> {
  const limit = new AbortController();
  const timeoutMs = (spec.timeout === undefined ? undefined : parseDuration(spec.timeout)) ?? DEFAULT_TIMEOUT_MS;
  const timer = clock.after(timeoutMs, () => limit.abort());
  const signal = AbortSignal.any([outer, limit.signal]);
  try {
    const driver = await drivers.open(spec.protocol);
    if (driver.discover === undefined) throw new DriverError('Unsupported', `${spec.protocol} discovers nothing`);
    const protocol = protocolNamed(spec.protocol);
    const { namespace = '', name = '' } = metadata;
    const connection = planConnection({ spec }, protocol);
    const settings = await resolveSettings(client, { namespace, name, connection }, signal);
    const scan = protocol?.scan === undefined ? (spec.scan ?? {}) : withDefaults(spec.scan ?? {}, protocol.scan);
    const most = spec.maxProposals ?? DEFAULT_MAX_PROPOSALS;
    let count = 0;
    for await (const found of driver.discover({ settings, scan, limit: most }, { clock, log, signal })) {
      yield found;
      if (++count >= most) return;
    }
  } catch (error) {
    if (!limit.signal.aborted) throw error;
  } finally {
    timer.cancel();
  }
}

/** False when it is known: as a device, or as a proposal, whatever was said to it. */
async function propose(
  { client, clock, devices, node }: DiscoveriesOptions,
  discovery: DeviceDiscovery,
  found: FoundDevice,
  signal: AbortSignal,
): Promise<boolean> {
  const proposal = proposalOf({ discovery, node, found, foundAt: timeText(clock) });
  const isBound = devices.cache
    .list()
    .some(({ metadata }) => metadata.annotations?.[FINGERPRINT_ANNOTATION] === proposal.spec.fingerprint);
  if (isBound) return false;
  try {
    await client.create(DEVICE_PROPOSALS, proposal, { signal });
    return true;
  } catch (error) {
    if (isStatus(error, 'AlreadyExists')) return true;
    throw error;
  }
}

function tell(
  { client }: DiscoveriesOptions,
  discovery: DeviceDiscovery,
  status: DeviceDiscoveryStatus,
  signal: AbortSignal,
): Promise<unknown> {
  return client.patch(
    { gvr: DEVICE_DISCOVERIES, ...parseObjectKey(keyOf(discovery)) },
    { status: { observedGeneration: discovery.metadata.generation, ...status } },
    { type: 'merge', subresource: 'status', signal },
  );
}

function timeText(clock: Clock): string {
  return new Date(clock.now()).toISOString();
}
