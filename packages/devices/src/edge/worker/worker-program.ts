/** Devices in the process of the data worker: what it is told becomes sockets, threads and files. */
import { dirname, join } from 'node:path';
import type { Clock, Logger } from '@skerry/base';
import type { Client } from '@skerry/kube/client';
import type {
  CertificateAnswer,
  CertificateQuestion,
  SiteCertificate,
  WorkerStart,
} from '../../supervision/worker-start.ts';
import { threadMetronome } from '../control/metronome.ts';
import { openSocketDrivers } from '../remote/socket-drivers.ts';
import { driverInThread } from '../remote/thread.ts';
import { openWriteLedger } from '../twin/write-ledger.ts';
import { type DataWorker, startDataWorker } from './data-worker.ts';
import { BUILTIN_DRIVERS } from './drivers.ts';
import type { IssueCertificate } from './site-certificates.ts';
import { type AnswerBeside, serveValues } from './values-server.ts';

export interface DevicesHalf {
  readonly plane: DataWorker;
  stop(): Promise<void>;
}

export interface DevicesHalfContext {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  /** What its threads run: the bundle of `thread/bin.ts`. */
  readonly program: string;
  /** See `ValuesServerOptions`. */
  readonly beside: Readonly<Record<string, AnswerBeside>>;
}

export async function startDevicesHalf(start: WorkerStart, context: DevicesHalfContext): Promise<DevicesHalf> {
  const { node, token, values, drivers: path, ledger: file } = start;
  const { client, clock, log, program, beside } = context;
  const others = await openSocketDrivers({ path, taken: new Set(Object.keys(BUILTIN_DRIVERS)), clock, log });
  const homeOf = (protocol: string) => ({ node, folder: join(dirname(path), 'drivers', protocol) });
  const drivers = {
    isolate: (protocol: string) => driverInThread(protocol, { program, home: homeOf(protocol) }),
    others: (protocol: string) => others.find(protocol),
  };
  const metronome = threadMetronome({ clock, log, program });
  const ledger = openWriteLedger(file);
  const plane = startDataWorker({
    node,
    client,
    clock,
    log,
    drivers,
    ledger,
    issue: askStarter(),
    brokersKeptIn: homeOf('mqtt').folder,
    metronome,
    random: Math.random,
  });
  const server = await serveValues({ plane, socket: values, token, beside });
  return {
    plane,
    stop: async () => {
      await server.close();
      await plane.stop();
      await metronome.close();
      ledger.close();
      await others.close();
    },
  };
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
