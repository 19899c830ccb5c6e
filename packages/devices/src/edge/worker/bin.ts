/** The process of the data worker: started by the agent, which says by message what it needs to know, and ends with the agent. */
import { dirname, join } from 'node:path';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { jsonLogger, runService, type Service, systemClock } from '@skerry/base';
import { createHttpClient } from '@skerry/kube/client';
import type {
  CertificateAnswer,
  CertificateQuestion,
  SiteCertificate,
  WorkerStart,
} from '../../supervision/worker-start.ts';
import { threadMetronome } from '../control/metronome.ts';
import { runMetronome } from '../control/metronome-thread.ts';
import { runDriverThread } from '../remote/driver-thread.ts';
import { openSocketDrivers } from '../remote/socket-drivers.ts';
import { driverInThread } from '../remote/thread.ts';
import { openWriteLedger } from '../twin/write-ledger.ts';
import { startDataWorker } from './data-worker.ts';
import { BUILTIN_DRIVERS } from './drivers.ts';
import type { IssueCertificate } from './site-certificates.ts';
import { serveValues } from './values-server.ts';

const log = jsonLogger({ write: (line) => void process.stderr.write(line), now: Date.now, fields: { worker: 'data' } });

async function start(): Promise<Service> {
  const { node, socket, token, values, drivers: path, ledger: file } = await told();
  const clock = systemClock;
  const client = createHttpClient({ connection: { socketPath: socket, token }, userAgent: 'skerry-data-worker' });
  const others = await openSocketDrivers({ path, taken: new Set(Object.keys(BUILTIN_DRIVERS)), clock, log });
  const program = process.argv[1] ?? '';
  const homeOf = (protocol: string) => ({ node, folder: join(dirname(path), 'drivers', protocol) });
  const drivers = {
    isolate: (protocol: string) => driverInThread(protocol, { program, home: homeOf(protocol) }),
    others: (protocol: string) => others.find(protocol),
  };
  const metronome = threadMetronome({ clock, log, program });
  const ledger = openWriteLedger(file);
  const issue = askStarter();
  const brokersKeptIn = homeOf('mqtt').folder;
  const worker = startDataWorker({
    node,
    client,
    clock,
    log,
    drivers,
    ledger,
    issue,
    brokersKeptIn,
    metronome,
    random: Math.random,
  });
  const server = await serveValues({ plane: worker, socket: values, token });
  log.info({ node }, 'data worker started');
  return {
    facts: { node },
    stop: async () => {
      await server.close();
      await worker.stop();
      await metronome.close();
      ledger.close();
      await others.close();
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

/** Certificates come the way that the start came. */
function askStarter(): IssueCertificate {
  const waiting = new Map<number, PromiseWithResolvers<SiteCertificate>>();
  let last = 0;
  process.on('message', (message) => {
    const answer = message as CertificateAnswer;
    const asked = waiting.get(answer.id);
    waiting.delete(answer.id);
    if ('issued' in answer) asked?.resolve(answer.issued);
    else asked?.reject(new Error(answer.refusal));
  });
  return (certificateOf) => {
    const id = ++last;
    const asked = Promise.withResolvers<SiteCertificate>();
    waiting.set(id, asked);
    process.send?.({ certificateOf, id } satisfies CertificateQuestion);
    return asked.promise;
  };
}

function fail(error: unknown): void {
  log.error({ error }, 'data worker not started');
  process.exit(1);
}

/** The same bundle is what the threads run. */
function runThread(port: MessagePort): void {
  const { metronome: bell } = workerData as { readonly metronome?: Int32Array };
  if (bell === undefined) runDriverThread().catch(fail);
  else runMetronome(port, bell);
}

if (parentPort === null) runService({ host: process, clock: systemClock, log }, start).catch(fail);
else runThread(parentPort);
