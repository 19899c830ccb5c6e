/** The process of the data worker: started by the agent, which says by message what it needs to know, and ends with the agent. */
import { jsonLogger, runService, type Service, systemClock } from '@skerry/base';
import { createHttpClient } from '@skerry/kube/client';
import type { WorkerStart } from '../../supervision/worker-start.ts';
import { startDataWorker } from './data-worker.ts';
import { serveValues } from './values-server.ts';

const log = jsonLogger({ write: (line) => void process.stderr.write(line), now: Date.now, fields: { worker: 'data' } });

async function start(): Promise<Service> {
  const { node, socket, token, values } = await told();
  const client = createHttpClient({ connection: { socketPath: socket, token }, userAgent: 'skerry-data-worker' });
  const worker = startDataWorker({ node, client, clock: systemClock, log, random: Math.random });
  const server = await serveValues({ plane: worker, socket: values, token });
  log.info({ node }, 'data worker started');
  return {
    facts: { node },
    stop: async () => {
      await server.close();
      await worker.stop();
      client.close();
    },
  };
}

/** Never on the command line or in the environment, where others could read it. */
function told(): Promise<WorkerStart> {
  return new Promise((resolve, reject) => {
    process.once('message', (message) => resolve(message as WorkerStart));
    process.once('disconnect', () => reject(new Error('whoever started this process is gone')));
  });
}

runService({ host: process, clock: systemClock, log }, start).catch((error: unknown) => {
  log.error({ error }, 'data worker not started');
  process.exit(1);
});
