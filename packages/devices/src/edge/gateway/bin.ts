/**
 * The process of the OPC UA gateway: started by the agent, which says by message what it needs to know, and ends with the agent.
 * Also the process that has a share of a server: started so by the first one, and ends with it.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { dirname, join } from 'node:path';
import { jsonLogger, runService, type Service, systemClock } from '@skerry/base';
import { createHttpClient } from '@skerry/kube/client';
import type { GatewayStart } from '../../supervision/worker-start.ts';
import { type Shard, startGateway } from './gateway.ts';
import { logOfLibrary } from './library-log.ts';
import type { ShardSaid } from './shard-processes.ts';

const log = jsonLogger({
  write: (line) => void process.stderr.write(line),
  now: Date.now,
  fields: { worker: 'opcua-gateway' },
});

async function start(): Promise<Service> {
  logOfLibrary(log);
  const started = await told();
  const { node, socket, token, values, folder, shard } = started;
  const client = createHttpClient({ connection: { socketPath: socket, token }, userAgent: 'skerry-opcua-gateway' });
  const gateway = startGateway({
    node,
    client,
    clock: systemClock,
    log: shard === undefined ? log : log.child({ shard: shard.index }),
    values: { socketPath: values, token },
    folder,
    nodeset: join(dirname(process.argv[1] ?? ''), 'Opc.Ua.NodeSet2.xml'),
    launch: (share) => launch({ ...started, shard: share }),
    ...(shard === undefined ? {} : { shard: { ...shard, report: (report) => tell({ report }) } }),
  });
  log.info({ node }, 'gateway started');
  return {
    facts: { node },
    stop: async () => {
      await gateway.stop();
      client.close();
    },
  };
}

/** The same program with the same limits; its log is a part of this one's. */
function launch(start: GatewayStart & { readonly shard: Shard }): ChildProcess {
  const child = fork(process.argv[1] ?? '', { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  // It may be gone before it hears this; its end says so.
  child.send(start, () => {});
  return child;
}

function tell(said: ShardSaid): void {
  if (process.connected) process.send?.(said);
}

/** Never on the command line or in the environment, where others could read it. */
function told(): Promise<GatewayStart> {
  return new Promise((resolve, reject) => {
    process.once('message', (message) => resolve(message as GatewayStart));
    process.once('disconnect', () => reject(new Error('whoever started this process is gone')));
  });
}

runService({ host: process, clock: systemClock, log }, start).catch((error: unknown) => {
  log.error({ error }, 'gateway not started');
  process.exit(1);
});
