/** The `skerry` command's process: the only file of this package that reads the environment and may exit. */
import { createInterface } from 'node:readline';
import { StatusError } from '@skerry/api';
import { describeError, systemClock } from '@skerry/base';
import { CommanderError } from 'commander';
import type { CliContext } from './context.ts';
import { createProgram } from './program.ts';

declare const __SKERRY_VERSION__: string;

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => stop.abort());

const context: CliContext = {
  version: __SKERRY_VERSION__,
  command: process.env['SKERRY_COMMAND'] ?? 'skerry',
  lib: process.env['SKERRY_LIB'] ?? __dirname,
  node: process.execPath,
  defaultDataDir: process.env['SKERRY_DATA_DIR'] ?? '/var/lib/skerry',
  defaultKeyDir: process.env['SKERRY_KEY_DIR'] ?? '/etc/skerry/keys',
  environment: process.env,
  ...(process.env['KUBECONFIG'] === undefined ? {} : { kubeconfig: process.env['KUBECONFIG'] }),
  clock: systemClock,
  print: (text) => void process.stdout.write(text),
  say: (text) => void process.stderr.write(text),
  ...(process.stdin.isTTY ? { askSecret } : {}),
  ...(process.stderr.isTTY ? { progress: (text) => void process.stderr.write(`\r\u001b[K${text}`) } : {}),
};

void createProgram(context, stop.signal)
  .parseAsync(process.argv)
  .then(() => process.exit(0), fail);

function fail(error: unknown): never {
  if (error instanceof CommanderError) process.exit(error.exitCode);
  process.stderr.write(`skerry: ${sentence(error)}\n`);
  process.exit(1);
}

function sentence(error: unknown): string {
  if (error instanceof StatusError) return `the cloud answered: ${error.message}`;
  return describeError(error);
}

/** Reads one line from the terminal without echoing it. */
async function askSecret(question: string): Promise<string> {
  process.stderr.write(question);
  const lines = createInterface({ input: process.stdin, terminal: true, output: undefined });
  try {
    for await (const line of lines) return line;
    return '';
  } finally {
    lines.close();
    process.stderr.write('\n');
  }
}
