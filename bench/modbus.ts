/** Modbus TCP: requests of ten registers, one at a time over each of 16 connections, by our driver in one thread; and what pipelining and the planner of reads bring. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { silentLogger, systemClock } from '@skerry/base';
import { pointOf, settingsOf } from '@skerry/devices/conformance';
import { createModbus, type Driver, type DriverContext, type Point } from '@skerry/devices/edge';
import modbusSerial from 'modbus-serial';
import { report, round } from './support/figures.ts';

const CONNECTIONS = 16;
const DURATION_MS = 3000;
/** Both sides run in turns; the best counts, since they only lose to other load and to cold code. */
const ROUNDS = 3;

const context: DriverContext = { clock: systemClock, log: silentLogger, signal: new AbortController().signal };
const ten = Array.from({ length: 10 }, (_, at) => pointOf(`p${at}`, 'uint16', { address: at }));
const thousand = Array.from({ length: 1000 }, (_, at) => pointOf(`p${at}`, 'uint16', { address: at }));

const { child, ports } = await simulator();
try {
  let [ours, bare] = [0, 0];
  for (let turn = 0; turn < ROUNDS; turn++) {
    bare = Math.max(bare, await bareLibrary());
    ours = Math.max(ours, await driven(ten, {}));
  }
  report(
    {
      name: `requests over ${CONNECTIONS} connections`,
      value: Math.round(ours),
      unit: '/s',
      atLeast: 25_000,
      ratio: round(ours / bare, 2),
      of: 'modbus-serial',
    },
    {
      name: 'the same, 4 requests on their way a connection',
      value: Math.round(await driven(ten, { pipeline: 4 }, 4)),
      unit: '/s',
    },
    { name: 'values in groups of 1000', value: Math.round((await driven(thousand, {})) * thousand.length), unit: '/s' },
  );
} finally {
  child.disconnect();
}

async function simulator(): Promise<{ child: ChildProcess; ports: readonly number[] }> {
  const program = fileURLToPath(new URL('support/modbus-simulator.ts', import.meta.url));
  const started = fork(program, [String(CONNECTIONS)], { execArgv: ['--conditions=source'] });
  const [told] = (await once(started, 'message')) as [number[]];
  return { child: started, ports: told };
}

/** Readings a second, `lanes` at once on each connection. */
async function driven(
  points: readonly Point[],
  options: Readonly<Record<string, unknown>>,
  lanes = 1,
): Promise<number> {
  const driver: Driver = createModbus({ clock: systemClock });
  const groups = await Promise.all(
    ports.map(async (port, at) => {
      const settings = settingsOf({ name: `d${at}`, endpoint: `tcp://127.0.0.1:${port}`, timeoutMs: 10_000, options });
      return (await driver.connect(settings, context)).group(points);
    }),
  );
  let values = 0;
  const sink = {
    value: () => void values++,
    fail: (_index: number, error: Error) => {
      throw error;
    },
  };
  const readings = await perSecond(
    groups.flatMap((group) => Array.from({ length: lanes }, () => () => group.read(sink, context.signal))),
  );
  if (values === 0) throw new Error('nothing was read');
  await driver.close?.();
  return readings;
}

async function bareLibrary(): Promise<number> {
  const clients = await Promise.all(
    ports.map(async (port) => {
      const client = new modbusSerial.default();
      await client.connectTCP('127.0.0.1', { port });
      client.setID(1);
      client.setTimeout(10_000);
      return client;
    }),
  );
  const requests = await perSecond(clients.map((client) => () => client.readHoldingRegisters(0, ten.length)));
  for (const client of clients) client.close(() => {});
  return requests;
}

/** How often all of them together come round in a second. */
async function perSecond(lanes: readonly (() => Promise<unknown>)[]): Promise<number> {
  const started = performance.now();
  let turns = 0;
  const run = async (once: () => Promise<unknown>) => {
    while (performance.now() - started < DURATION_MS) {
      await once();
      turns++;
    }
  };
  await Promise.all(lanes.map(run));
  return (turns * 1000) / (performance.now() - started);
}
