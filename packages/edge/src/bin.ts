/** The `skerry edge` process: the only file of this package that reads the environment and may exit. */
import { join } from 'node:path';
import { describeError, jsonLogger, runService, systemClock } from '@skerry/base';
import { describeFlags, parseFlags } from '@skerry/base/flags';
import { edgeFlags } from './flags.ts';
import { runEdge } from './run-edge.ts';

declare const __SKERRY_VERSION__: string;

const defaults = {
  dataDir: process.env['SKERRY_DATA_DIR'] ?? '/var/lib/skerry',
  keyDir: process.env['SKERRY_KEY_DIR'] ?? '/etc/skerry/keys',
};

serve(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`skerry: ${describeError(error)}\n`);
  process.exit(1);
});

async function serve(args: readonly string[]): Promise<void> {
  const table = edgeFlags(defaults);
  if (args.includes('--help')) {
    process.stdout.write(
      `Usage: skerry edge [flags]\n\nRuns an edge node: replica, local API and pods.\n\n${describeFlags(table)}\n`,
    );
    return;
  }
  const flags = parseFlags(table, args);
  const log = jsonLogger({
    write: (line) => void process.stderr.write(line),
    now: Date.now,
    level: flags['log-level'],
  });
  const lib = process.env['SKERRY_LIB'] ?? __dirname;
  const start = async () => {
    const edge = await runEdge({
      flags,
      token: flags.token ?? process.env['SKERRY_TOKEN'],
      keyDir: defaults.keyDir,
      supervisor: join(lib, 'supervisor.cjs'),
      unpack: join(lib, 'unpack.cjs'),
      dataWorker: join(lib, 'data-worker.cjs'),
      opcUaGateway: join(lib, 'opcua-gateway.cjs'),
      version: __SKERRY_VERSION__,
      clock: systemClock,
      log,
    });
    return { facts: edge.facts, stop: () => edge.stop(), stopAll: () => edge.stopWithPods() };
  };
  // A plain stop leaves the pods to the next agent.
  const asksForAll = (message: unknown) => typeof message === 'object' && message !== null && 'stop' in message;
  await runService({ host: process, clock: systemClock, log, asksForAll }, start);
}
