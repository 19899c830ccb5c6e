/** The devices of examples/factory: a meter, a press and a scale as servers on this machine, and sensors that publish. */
import { type ListeningServer, listenModbus, ModbusServer } from '../modbus/server.ts';
import { ModbusUnit } from '../modbus/unit.ts';
import { publishClimate } from './climate.ts';
import { listenPress } from './press.ts';
import { listenScale } from './scale.ts';

export interface Factory extends AsyncDisposable {
  /** Where each device of the manifest listens, by its name. */
  readonly ports: Readonly<Record<string, number>>;
}

export interface FactoryOptions {
  /** At which port each device is to listen, by its name. */
  readonly wanted: Readonly<Record<string, number>>;
  /** Where the sensors publish. */
  readonly brokerPort: number;
  /** The file with OPC UA's own types. */
  readonly nodeset: string;
}

/** At the ports that are wanted, or at others where these are taken. */
export async function startFactory({ wanted, brokerPort, nodeset }: FactoryOptions): Promise<Factory> {
  const listeners: Readonly<Record<string, (port: number) => Promise<ListeningServer>>> = {
    'meter-1': listenMeter,
    'press-1': (port) => listenPress(port, nodeset),
    'scale-1': listenScale,
  };
  const devices = new AsyncDisposableStack();
  const ports: Record<string, number> = {};
  try {
    for (const [name, listen] of Object.entries(listeners)) {
      const device = devices.use(await listenAt(listen, wanted[name] ?? 0));
      ports[name] = device.port;
    }
  } catch (error) {
    await devices.disposeAsync();
    throw error;
  }
  devices.use(publishClimate(brokerPort));
  return { ports, [Symbol.asyncDispose]: () => devices.disposeAsync() };
}

async function listenAt(listen: (port: number) => Promise<ListeningServer>, port: number): Promise<ListeningServer> {
  try {
    return await listen(port);
  } catch (error) {
    if (port === 0 || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    return listen(0);
  }
}

const TICK_MS = 200;
const PERIOD_MS = 30_000;
const [MEAN_WATTS, SWING_WATTS] = [6000, 4000];

/** A power meter: what is drawn rises and falls, and is counted. */
async function listenMeter(port: number): Promise<ListeningServer> {
  const unit = new ModbusUnit({ size: 200 });
  const input = new DataView(unit.inputRegisters.buffer);
  let energy = 1_234_567;
  const measure = () => {
    const watts = MEAN_WATTS + SWING_WATTS * Math.sin((Date.now() / PERIOD_MS) * 2 * Math.PI);
    energy += (watts * TICK_MS) / 3_600_000;
    input.setFloat32(0, 230 + 2 * Math.sin(Date.now() / 7000));
    input.setFloat32(4, watts);
    input.setUint32(8, Math.floor(energy));
  };
  measure();
  const timer = setInterval(measure, TICK_MS);
  const server = await listenModbus(new ModbusServer(new Map([[1, unit]])), { port }).catch((error: unknown) => {
    clearInterval(timer);
    throw error;
  });
  return {
    port: server.port,
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer);
      await server[Symbol.asyncDispose]();
    },
  };
}
