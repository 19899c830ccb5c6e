/** Which devices are driven here: those placed on this node, each by a runner that is replaced when its plan changes. */
import type { Clock, Logger } from '@skerry/base';
import type { Client, Recorder } from '@skerry/kube/client';
import {
  type ControllerSpec,
  formatObjectKey,
  type Informer,
  keyOf,
  parseObjectKey,
  watching,
} from '@skerry/kube/controller';
import type { LastValues, SeriesTable } from '@skerry/streams/contract';
import { type ModelLookup, resolveModel } from '../../models/resolve-model.ts';
import { protocolNamed } from '../../protocols/index.ts';
import type { Device } from '../../resources/device.ts';
import type { DeviceModel } from '../../resources/device-model.ts';
import type { DeviceState } from '../../resources/device-status.ts';
import { planDevice } from './device-plan.ts';
import { DeviceRunner } from './device-runner.ts';
import { deviceStatus } from './device-status.ts';
import { DrivenDevice } from './driven-device.ts';
import type { Drivers } from './drivers.ts';
import type { DeviceCondition, DeviceEvent, LiveDevice, LiveDevices } from './live-device.ts';
import type { Publisher } from './publisher.ts';
import { RejectedCertificates } from './rejected-certificates.ts';
import type { SiteCertificates } from './site-certificates.ts';
import { createStatusWriter, type StatusView, type StatusWriter } from './status-writer.ts';

export interface DeviceControllerOptions {
  readonly node: string;
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  readonly devices: Informer<Device>;
  readonly models: Informer<DeviceModel>;
  readonly series: SeriesTable;
  readonly last: LastValues;
  readonly publisher: Publisher;
  readonly drivers: Drivers;
  readonly certificates: SiteCertificates;
  readonly recorder: Recorder;
  readonly random: () => number;
}

export interface DeviceController extends LiveDevices {
  readonly spec: ControllerSpec;
  /** A part of the device's status that another part of the worker writes: `writes`. Undefined takes it out. */
  setSection(namespace: string, name: string, section: string, value: unknown, withinMs?: number): void;
  close(): Promise<void>;
}

export function createDeviceController(options: DeviceControllerOptions): DeviceController {
  return new NodeDevices(options);
}

/** A device that cannot be driven as it is written, or is not to be. */
interface Idle {
  readonly device: Device;
  readonly state: DeviceState;
  readonly why: string;
}

const NO_COUNTERS = {};
const DEFAULT_REPORTING_MS = 5000;

class NodeDevices implements DeviceController {
  readonly spec: ControllerSpec;
  readonly #options: DeviceControllerOptions;
  readonly #driven = new Map<string, DrivenDevice>();
  /** What the plan of each was made of. */
  readonly #madeOf = new Map<string, string>();
  readonly #idle = new Map<string, Idle>();
  readonly #sections = new Map<string, Map<string, unknown>>();
  readonly #handlers = new Set<(key: string) => void>();
  readonly #listeners = new Set<(event: DeviceEvent) => void>();
  /** As it was last told to people. */
  readonly #toldState = new Map<string, DeviceState>();
  readonly #status: StatusWriter;
  readonly #models: ModelLookup;

  constructor(options: DeviceControllerOptions) {
    this.#options = options;
    const { client, clock, log, devices, models } = options;
    this.#models = (name) => models.cache.get(name);
    this.#status = createStatusWriter({ client, clock, log, view: (namespace, name) => this.#view(namespace, name) });
    this.spec = {
      name: 'devices',
      watches: [
        watching(devices, ({ object }) => [keyOf(object)]),
        // A change of a model changes what its devices are; which ones, their reconciling finds out.
        watching(models, () => devices.cache.list().map(keyOf)),
      ],
      reconcile: async (key) => {
        await this.#reconcile(key);
        return undefined;
      },
    };
  }

  get(namespace: string, name: string): LiveDevice | undefined {
    return this.#driven.get(formatObjectKey({ namespace, name }));
  }

  all(): readonly LiveDevice[] {
    return [...this.#driven.values()];
  }

  onChange(handler: (key: string) => void): () => void {
    this.#handlers.add(handler);
    return () => {
      this.#handlers.delete(handler);
    };
  }

  onEvent(handler: (event: DeviceEvent) => void): () => void {
    this.#listeners.add(handler);
    return () => {
      this.#listeners.delete(handler);
    };
  }

  setSection(namespace: string, name: string, section: string, value: unknown, withinMs = 0): void {
    const key = formatObjectKey({ namespace, name });
    const sections = this.#sections.get(key) ?? new Map<string, unknown>();
    this.#sections.set(key, sections);
    // Null, so that a merge patch takes it out.
    sections.set(section, value ?? null);
    this.#status.touch(namespace, name, withinMs);
  }

  async close(): Promise<void> {
    this.#status.close();
    await Promise.all([...this.#driven.values()].map(({ runner }) => runner.stop()));
    this.#driven.clear();
  }

  async #reconcile(key: string): Promise<void> {
    const { node, devices } = this.#options;
    const device = devices.cache.get(key);
    // Where a selector leads to several nodes, the first one drives: a device is one thing.
    if (device === undefined || device.status?.nodes?.[0] !== node) return this.#release(key);
    if (device.spec.disabled === true) return this.#rest(key, { device, state: 'Disabled', why: '' });
    const madeOf = this.#madeFrom(device);
    const driven = this.#driven.get(key);
    if (driven !== undefined && this.#madeOf.get(key) === madeOf) {
      driven.device = device;
      this.#tell(key);
      return;
    }
    await this.#stop(key);
    const plan = planDevice(device, { models: this.#models, protocol: protocolNamed, series: this.#options.series });
    if (typeof plan === 'string') return this.#rest(key, { device, state: 'Invalid', why: plan });
    this.#idle.delete(key);
    this.#madeOf.set(key, madeOf);
    const { namespace, name } = plan;
    const rejected = new RejectedCertificates();
    const runner = new DeviceRunner(plan, {
      ...this.#options,
      onChange: () => this.#changed(key, namespace, name),
      onEvent: (event) => this.#onEvent(key, event),
      onRejectedCertificate: (certificate, reason) => {
        rejected.add(certificate, reason, this.#options.clock.now());
        this.setSection(namespace, name, 'rejectedCertificates', rejected.list);
      },
    });
    this.#driven.set(key, new DrivenDevice(runner, device));
    runner.start();
    this.#changed(key, namespace, name);
  }

  /** All that a plan follows from: what is desired is not part of it, so that a new wish ends no session. */
  #madeFrom({ spec }: Device): string {
    const { desired: _desired, ...rest } = spec;
    const model = resolveModel(spec.model.name, this.#models);
    const lineage = typeof model === 'string' ? model : model.lineage.map((name) => this.#models(name)?.spec);
    return JSON.stringify([rest, lineage]);
  }

  async #rest(key: string, idle: Idle): Promise<void> {
    await this.#stop(key);
    this.#idle.set(key, idle);
    const { namespace = '', name = '' } = idle.device.metadata;
    this.#changed(key, namespace, name);
  }

  async #release(key: string): Promise<void> {
    await this.#stop(key);
    this.#idle.delete(key);
    this.#sections.delete(key);
    this.#toldState.delete(key);
    const { namespace, name } = parseObjectKey(key);
    this.#status.forget(namespace, name);
  }

  async #stop(key: string): Promise<void> {
    const driven = this.#driven.get(key);
    if (driven === undefined) return;
    this.#driven.delete(key);
    this.#madeOf.delete(key);
    await driven.runner.stop();
    for (const { series } of driven.points) this.#options.last.forget(series);
    this.#tell(key);
  }

  #changed(key: string, namespace: string, name: string): void {
    this.#status.touch(namespace, name);
    this.#record(key);
    this.#tell(key);
  }

  /** Changes that a person wants to find later, as Events of the Device. */
  #record(key: string): void {
    const driven = this.#driven.get(key);
    const idle = this.#idle.get(key);
    const device = driven?.device ?? idle?.device;
    const state = driven?.runner.state ?? idle?.state;
    if (device === undefined || state === undefined || this.#toldState.get(key) === state) return;
    this.#toldState.set(key, state);
    const { recorder, node } = this.#options;
    if (state === 'Connected') recorder.event(device, 'Normal', state, `driven by node ${node}`);
    if (state === 'Disconnected' || state === 'Invalid')
      recorder.event(device, 'Warning', state, driven?.condition.lastError ?? idle?.why ?? '');
  }

  #onEvent(key: string, event: DeviceEvent): void {
    for (const listener of this.#listeners) listener(event);
    const driven = this.#driven.get(key);
    if (driven === undefined) return;
    const { severity = 'Info' } = driven.model.events.get(event.event) ?? {};
    const said = [...event.fields].map(([name, value]) => `${name}=${String(value)}`).join(', ');
    this.#options.recorder.event(
      driven.device,
      severity === 'Info' ? 'Normal' : 'Warning',
      event.event,
      said || event.event,
    );
  }

  #tell(key: string): void {
    for (const handler of this.#handlers) handler(key);
  }

  #view(namespace: string, name: string): StatusView | undefined {
    const key = formatObjectKey({ namespace, name });
    const sections = Object.fromEntries(this.#sections.get(key) ?? []);
    const { last, clock } = this.#options;
    const now = clock.now();
    const driven = this.#driven.get(key);
    if (driven !== undefined) {
      const { device, condition, points, runner } = driven;
      return deviceStatus({ device, condition, points, intervalMs: runner.plan.reportingMs, last, now, sections });
    }
    const idle = this.#idle.get(key);
    if (idle === undefined) return undefined;
    const condition: DeviceCondition = { state: idle.state, lastError: idle.why, counters: NO_COUNTERS };
    return deviceStatus({
      device: idle.device,
      condition,
      points: [],
      intervalMs: DEFAULT_REPORTING_MS,
      last,
      now,
      sections,
    });
  }
}
