/** The supervisor's program: `supervisor --directory DIR`. It ignores hang-ups and ends only when told to. */
import { parseArgs } from 'node:util';
import { jsonLogger, systemClock } from '@skerry/base';
import { startSupervisor } from './supervisor.ts';
import { becomeCommand } from './tty.ts';

const [mode, file] = process.argv.slice(2);
if (mode === 'tty' && file !== undefined) becomeCommand(file);

const log = jsonLogger({ write: (line) => void process.stderr.write(line), now: () => systemClock.now() });
main().catch((error: unknown) => {
  log.error({ error }, 'supervisor failed');
  process.exit(1);
});

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      directory: { type: 'string', default: '.' },
      'boot-id-file': { type: 'string' },
      'cgroup-root': { type: 'string' },
    },
  });
  process.on('SIGHUP', () => {});
  // The terminal's Ctrl-C is for the agent, which ends the pods with their grace and then asks us to end.
  process.on('SIGINT', () => {});
  const supervisor = await startSupervisor({
    directory: values.directory,
    clock: systemClock,
    log,
    self: { node: process.execPath, options: process.execArgv, main: process.argv[1] ?? '' },
    ...(values['boot-id-file'] === undefined ? {} : { bootIdFile: values['boot-id-file'] }),
    ...(values['cgroup-root'] === undefined ? {} : { cgroupRoot: values['cgroup-root'] }),
  });
  const stop = (): void => {
    supervisor.close();
    process.exit(0);
  };
  process.on('SIGTERM', stop);
  await supervisor.ended;
  stop();
}
