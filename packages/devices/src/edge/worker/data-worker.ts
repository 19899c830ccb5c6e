/** The data worker: everything of a node that deals in values, as a client of the node's API. Composition only. */
import type { Clock, Logger } from '@skerry/base';
import { type Client, createRecorder } from '@skerry/kube/client';
import { runController, startInformer } from '@skerry/kube/controller';
import { type Bus, createBus, LastValues, SeriesTable } from '@skerry/streams/contract';
import type { ControlLoop } from '../../resources/control-loop.ts';
import type { Device } from '../../resources/device.ts';
import type { DeviceModel } from '../../resources/device-model.ts';
import type { DeviceDiscovery } from '../../resources/discovery.ts';
import { CONTROL_LOOPS, DEVICE_DISCOVERIES, DEVICE_MODELS, DEVICES, MQTT_BROKERS } from '../../resources/group.ts';
import type { MqttBroker } from '../../resources/mqtt-broker.ts';
import { brokerController } from '../broker/broker-controller.ts';
import { createControlLoops } from '../control/loops.ts';
import { clockMetronome, type Metronome } from '../control/metronome.ts';
import { discoveryController } from '../discovery/discoveries.ts';
import type { DeviceDoor } from '../twin/door.ts';
import { startTwins } from '../twin/twins.ts';
import type { WriteLedger } from '../twin/write-ledger.ts';
import { createDeviceController, type DeviceController } from './device-controller.ts';
import { createDrivers, type DriversOptions } from './drivers.ts';
import { createPublisher } from './publisher.ts';
import { type IssueCertificate, siteCertificates } from './site-certificates.ts';

export interface DataWorkerOptions {
  readonly node: string;
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
  readonly ledger: WriteLedger;
  /** For control loops; without it they have the clock. */
  readonly metronome?: Metronome;
  readonly drivers?: Omit<DriversOptions, 'clock'>;
  /** Of the site's own identity, for what listens here. */
  readonly issue: IssueCertificate;
  /** Where brokers keep what they keep; only of those whose object is gone it is removed. */
  readonly brokersKeptIn?: string;
}

/** What parts of the worker share. */
export interface DataPlane {
  readonly node: string;
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  readonly bus: Bus;
  readonly series: SeriesTable;
  readonly last: LastValues;
  readonly devices: DeviceController;
  /** Whoever writes to devices goes through here. */
  readonly door: DeviceDoor;
}

export interface DataWorker extends DataPlane {
  stop(): Promise<void>;
}

export function startDataWorker(options: DataWorkerOptions): DataWorker {
  const { client, clock, log } = options;
  const stopping = new AbortController();
  const context = { client, clock, log, signal: stopping.signal };
  const bus = createBus();
  const series = new SeriesTable();
  const last = new LastValues();
  const keeping = keepLast(bus, last);
  const drivers = createDrivers({ ...options.drivers, clock });
  const shown = startInformer<Device>(context, { gvr: DEVICES });
  const certificates = siteCertificates(options.issue, clock);
  const devices = createDeviceController({
    ...options,
    certificates,
    devices: shown,
    models: startInformer<DeviceModel>(context, { gvr: DEVICE_MODELS }),
    series,
    last,
    publisher: createPublisher(clock, bus),
    drivers,
    recorder: createRecorder({ client, clock, log, component: 'skerry-data-worker', host: options.node }),
  });
  const twins = startTwins({ clock, log, devices, ledger: options.ledger });
  const loops = createControlLoops({
    ...options,
    loops: startInformer<ControlLoop>(context, { gvr: CONTROL_LOOPS }),
    metronome: options.metronome ?? clockMetronome(clock),
    devices,
    last,
    twins,
  });
  const discovering = discoveryController({
    ...options,
    drivers,
    devices: shown,
    discoveries: startInformer<DeviceDiscovery>(context, { gvr: DEVICE_DISCOVERIES }),
  });
  const brokers = brokerController({
    ...options,
    drivers,
    brokers: startInformer<MqttBroker>(context, { gvr: MQTT_BROKERS }),
    certificates,
    ...(options.brokersKeptIn === undefined ? {} : { keptIn: options.brokersKeptIn }),
  });
  const running = [loops.spec, discovering, brokers.spec].map((spec) => runController(spec, context));
  running.push(
    loops.tell(stopping.signal),
    driveAfter(loops.begin(), () => runController(devices.spec, context)),
  );
  return {
    ...options,
    bus,
    series,
    last,
    devices,
    door: twins,
    stop: async () => {
      stopping.abort();
      await loops.close();
      twins.close();
      await Promise.all(running);
      await devices.close();
      await brokers.close();
      await drivers.close();
      bus.close();
      await keeping;
    },
  };
}

/** A device that connects is sent what waited for it: what interlocks hold is to be known by then. */
async function driveAfter(loopsBegun: Promise<void>, drive: () => Promise<void>): Promise<void> {
  try {
    await loopsBegun;
  } catch {
    // Stopped before.
    return;
  }
  await drive();
}

async function keepLast(bus: Bus, last: LastValues): Promise<void> {
  for await (const batch of bus.subscribe({ name: 'last-values' })) last.apply(batch);
}
