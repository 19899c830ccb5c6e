/** The process of the factory's simulated devices: started by `skerry up --demo factory` with `NAME=PORT`, and ends with it. */
import { dirname, join } from 'node:path';
import { jsonLogger, runService, type Service, systemClock } from '@skerry/base';
import { startFactory } from './index.ts';

const log = jsonLogger({
  write: (line) => void process.stderr.write(line),
  now: Date.now,
  fields: { demo: 'factory' },
});

async function start(): Promise<Service> {
  const { broker = 0, ...wanted } = Object.fromEntries(process.argv.slice(2).map(readPort));
  const nodeset = join(dirname(process.argv[1] ?? ''), 'Opc.Ua.NodeSet2.xml');
  const factory = await startFactory({ wanted, brokerPort: broker, nodeset });
  log.info(factory.ports, 'factory started');
  return {
    facts: Object.fromEntries(Object.entries(factory.ports).map(([name, port]) => [name, String(port)])),
    stop: async () => factory[Symbol.asyncDispose](),
  };
}

function readPort(argument: string): readonly [string, number] {
  const [name = '', port] = argument.split('=');
  return [name, Number(port)];
}

runService({ host: process, clock: systemClock, log }, start).catch((error: unknown) => {
  log.error({ error }, 'factory not started');
  process.exit(1);
});
