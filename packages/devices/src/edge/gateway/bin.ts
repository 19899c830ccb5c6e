/** The process of the OPC UA gateway: started by the agent, which says by message what it needs to know, and ends with the agent. */
import { dirname, join } from 'node:path';
import { jsonLogger, runService, type Service, systemClock } from '@skerry/base';
import { createHttpClient } from '@skerry/kube/client';
import type { GatewayStart } from '../../supervision/worker-start.ts';
import { startGateway } from './gateway.ts';
import { logOfLibrary } from './library-log.ts';

const log = jsonLogger({
  write: (line) => void process.stderr.write(line),
  now: Date.now,
  fields: { worker: 'opcua-gateway' },
});

async function start(): Promise<Service> {
  logOfLibrary(log);
  const { node, socket, token, values, folder } = await told();
  const client = createHttpClient({ connection: { socketPath: socket, token }, userAgent: 'skerry-opcua-gateway' });
  const gateway = startGateway({
    node,
    client,
    clock: systemClock,
    log,
    values: { socketPath: values, token },
    folder,
    nodeset: join(dirname(process.argv[1] ?? ''), 'Opc.Ua.NodeSet2.xml'),
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
