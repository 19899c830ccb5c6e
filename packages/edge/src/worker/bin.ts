/** The process of the data worker: started by the agent, which says by message what it needs to know, and ends with the agent. */
import { join } from 'node:path';
import { jsonLogger, runService, type Service, systemClock } from '@skerry/base';
import { startDevicesHalf } from '@skerry/devices/worker';
import { createHttpClient } from '@skerry/kube/client';
import { openThroughDoor } from '@skerry/link/door';
import { type Streams, startStreams } from '@skerry/streams/edge';
import { ROAD_SERVICE, SERIES_PATH } from '@skerry/streams/supervision';
import { nodeValues } from './node-values.ts';
import type { DataWorkerStart } from './start.ts';

const log = jsonLogger({ write: (line) => void process.stderr.write(line), now: Date.now, fields: { worker: 'data' } });

/** What its threads run, beside its own bundle. */
const THREAD = join(import.meta.dirname, 'device-thread.cjs');

async function start(): Promise<Service> {
  const told = await toldByAgent();
  const { node, socket, token, linkDoor, streams: folder } = told;
  const clock = systemClock;
  const client = createHttpClient({ connection: { socketPath: socket, token }, userAgent: 'skerry-data-worker' });
  const { promise: started, resolve } = Promise.withResolvers<Streams>();
  const beside = { [SERIES_PATH]: async (...asked: Parameters<Streams['serve']>) => (await started).serve(...asked) };
  const devices = await startDevicesHalf(told, { client, clock, log, program: THREAD, beside });
  const values = nodeValues(devices.plane);
  const toCloud = (signal: AbortSignal) => openThroughDoor({ socket: linkDoor, token }, ROAD_SERVICE, signal);
  const streams = startStreams({ node, client, clock, log, random: Math.random, folder, values, toCloud });
  resolve(streams);
  log.info({ node }, 'data worker started');
  return {
    facts: { node },
    stop: async () => {
      await streams.stop();
      await devices.stop();
      client.close();
    },
  };
}

/** Never on the command line or in the environment, where others could read it. */
function toldByAgent(): Promise<DataWorkerStart> {
  return new Promise((resolve, reject) => {
    process.once('message', (message) => resolve(message as DataWorkerStart));
    process.once('disconnect', () => reject(new Error('whoever started this process is gone')));
  });
}

function fail(error: unknown): void {
  log.error({ error }, 'data worker not started');
  process.exit(1);
}

runService({ host: process, clock: systemClock, log }, start).catch(fail);
