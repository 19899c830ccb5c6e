/** For tests: a data worker against a real API server, on a clock that stands still. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Gvr, KubeObject } from '@skerry/api';
import { silentLogger } from '@skerry/base';
import { type Client, createInProcessClient } from '@skerry/kube/client';
import { createApiServer } from '@skerry/kube/server';
import { openStore } from '@skerry/kube/store';
import { type FakeClock, fakeClock } from '@skerry/testkit';
import { deviceCrds } from '../../resources/definitions.ts';
import type { Device, DeviceSpec } from '../../resources/device.ts';
import type { DeviceModelSpec } from '../../resources/device-model.ts';
import { DEVICE_MODELS, DEVICES, DEVICES_API_VERSION } from '../../resources/group.ts';
import { createSimulator, type Simulator } from '../drivers/simulator/driver.ts';
import { openWriteLedger } from '../twin/write-ledger.ts';
import { type DataWorker, type DataWorkerOptions, startDataWorker } from '../worker/data-worker.ts';
import type { DriverLoader } from '../worker/drivers.ts';
import type { IssueCertificate } from '../worker/site-certificates.ts';

export interface ScratchWorker extends AsyncDisposable {
  readonly client: Client;
  readonly clock: FakeClock;
  readonly worker: DataWorker;
  readonly simulator: Simulator;
  model(name: string, spec: DeviceModelSpec): Promise<void>;
  /** Placed on the worker's node. */
  device(name: string, spec: Partial<DeviceSpec>): Promise<void>;
  patch(name: string, spec: object): Promise<void>;
  get(name: string): Promise<Device>;
  /** Lets time pass in small steps until `probe` gives something. */
  until<T>(what: string, probe: () => Promise<T | undefined | false>): Promise<T>;
  /** Ends the worker and starts another one, which knows what is on disk and in the API. */
  restart(): Promise<void>;
}

const NODE = 'edge-1';
const NAMESPACE = 'default';
const DEFINITIONS: Gvr = { group: 'apiextensions.k8s.io', version: 'v1', resource: 'customresourcedefinitions' };
const NAMESPACES: Gvr = { group: '', version: 'v1', resource: 'namespaces' };
const USER = { username: 'system:test', groups: ['system:masters'] };

const STEP_MS = 50;
const MAX_STEPS = 1200;

export interface ScratchOptions {
  readonly issue?: IssueCertificate;
  /** See `DataWorkerOptions`. */
  readonly brokersKeptIn?: string;
  /** Where the clock begins. */
  readonly start?: number;
}

const NO_AUTHORITY: IssueCertificate = () => Promise.reject(new Error('this node has no authority'));

export async function scratchWorker(
  drivers: Readonly<Record<string, DriverLoader>> = {},
  { issue = NO_AUTHORITY, start, ...kept }: ScratchOptions = {},
): Promise<ScratchWorker> {
  const folder = await mkdtemp(join(tmpdir(), 'skerry-devices-'));
  const clock = fakeClock(start === undefined ? {} : { start });
  const log = silentLogger;
  const store = openStore({ file: join(folder, 'api.db'), clock, log });
  const server = createApiServer({ store, clock, log, authorizer: { authorize: () => ({ allowed: true }) } });
  const client = createInProcessClient({ handle: (request) => server.handle(request), user: USER });
  await client.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } });
  for (const definition of deviceCrds()) await client.create(DEFINITIONS, definition);
  const simulator = createSimulator(clock);
  const ledger = openWriteLedger(':memory:');
  const options: DataWorkerOptions = {
    node: NODE,
    client,
    clock,
    log,
    random: () => 0.5,
    ledger,
    issue,
    ...kept,
    drivers: { loaders: { simulator: async () => simulator, ...drivers } },
  };
  let worker = startDataWorker(options);
  const stop = async () => {
    const stopping = worker.stop();
    await clock.settle();
    await stopping;
  };
  const ref = (name: string) => ({ gvr: DEVICES, namespace: NAMESPACE, name });
  return {
    client,
    clock,
    get worker() {
      return worker;
    },
    simulator,
    model: async (name, spec) => {
      await client.create(DEVICE_MODELS, objectOf('DeviceModel', { name }, spec));
    },
    device: async (name, spec) => {
      const whole = { model: { name: 'model' }, protocol: 'simulator', placement: { nodeName: NODE }, ...spec };
      await client.create(DEVICES, objectOf('Device', { name, namespace: NAMESPACE }, whole));
      await client.patch(ref(name), { status: { nodes: [NODE] } }, { type: 'merge', subresource: 'status' });
    },
    patch: async (name, spec) => {
      await client.patch(ref(name), { spec }, { type: 'merge' });
    },
    get: (name) => client.get<Device>(ref(name)),
    until: async (what, probe) => {
      for (let step = 0; step < MAX_STEPS; step++) {
        const found = await probe();
        if (found !== undefined && found !== false) return found;
        await clock.advance(STEP_MS);
      }
      throw new Error(`waited in vain for ${what}`);
    },
    restart: async () => {
      await stop();
      worker = startDataWorker(options);
    },
    [Symbol.asyncDispose]: async () => {
      await stop();
      ledger.close();
      server.close();
      await store.close();
      await rm(folder, { recursive: true });
    },
  };
}

function objectOf(kind: string, metadata: KubeObject['metadata'], spec: object): KubeObject {
  return { apiVersion: DEVICES_API_VERSION, kind, metadata, spec };
}
