/** The `skerry cloud` process, and `skerry restore`: the only file of this package that reads the environment and may exit. */
import { describeError, jsonLogger, runService, systemClock } from '@skerry/base';
import { describeFlags, parseFlags } from '@skerry/base/flags';
import { restoreCommand, restoreFlags } from './backup/restore.ts';
import { cloudFlags } from './flags.ts';
import { runCloud } from './run-cloud.ts';

declare const __SKERRY_VERSION__: string;

const defaults = {
  dataDir: process.env['SKERRY_DATA_DIR'] ?? '/var/lib/skerry',
  keyDir: process.env['SKERRY_KEY_DIR'] ?? '/etc/skerry/keys',
};

const [first, ...rest] = process.argv.slice(2);
const main = first === 'restore' ? restore(rest) : serve(process.argv.slice(2));
main.catch((error: unknown) => {
  process.stderr.write(`skerry: ${describeError(error)}\n`);
  process.exit(1);
});

async function serve(args: readonly string[]): Promise<void> {
  const table = cloudFlags(defaults);
  if (args.includes('--help')) {
    process.stdout.write(
      `Usage: skerry cloud [flags]\n\nRuns the cloud: API server, controllers and hub.\n\n${describeFlags(table)}\n`,
    );
    return;
  }
  const flags = parseFlags(table, args);
  const log = jsonLogger({
    write: (line) => void process.stderr.write(line),
    now: Date.now,
    level: flags['log-level'],
  });
  const { keyDir } = defaults;
  await runService({ host: process, clock: systemClock, log }, () =>
    runCloud({ flags, keyDir, version: __SKERRY_VERSION__, clock: systemClock, log }),
  );
}

async function restore(args: readonly string[]): Promise<void> {
  const [file, ...flags] = args;
  const table = restoreFlags(defaults);
  if (file === undefined || args.includes('--help')) {
    process.stdout.write(
      `Usage: skerry restore FILE [flags]\n\nBrings a backup back into an empty data directory.\n\n${describeFlags(table)}\n`,
    );
    return;
  }
  process.stdout.write(await restoreCommand(file, parseFlags(table, flags), defaults.keyDir));
}
