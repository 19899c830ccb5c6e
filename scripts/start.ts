/** `npm start`: builds what is not built and runs `skerry up` with the arguments given after `--`; `--demo factory` adds devices. */
import { spawn } from 'node:child_process';
import { join, resolve } from 'node:path';
import { buildBundles } from './build.ts';
import { DEMOS, type Demo, startDemo } from './demo.ts';
import { ROOT, say } from './tasks.ts';

await buildBundles();
const [demoName, args] = takeOption('--demo', process.argv.slice(2));
if (demoName !== undefined && !DEMOS.includes(demoName)) {
  say(`there is no demo ${demoName}; there is ${DEMOS.join(', ')}`);
  process.exit(1);
}
const [node = 'edge-1'] = takeOption('--node', args);
const demo = demoName === undefined ? undefined : await startDemo(node);
const output = demo === undefined ? 'inherit' : 'pipe';
const child = spawn(join(ROOT, 'bin', 'skerry'), ['up', ...args], { stdio: ['inherit', output, 'inherit'] });
child.stdout?.pipe(process.stdout);
const over = new AbortController();
process.on('SIGINT', () => {});
for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
child.on('exit', (code) => {
  over.abort();
  void end(demo, code ?? 1);
});
// What is said first says that all is there.
if (demo !== undefined) child.stdout?.once('data', () => void tell(demo));

async function tell(running: Demo): Promise<void> {
  const [given] = takeOption('--data-dir', args);
  const dataDir = resolve(given ?? process.env['SKERRY_DATA_DIR'] ?? join(ROOT, '.skerry'));
  try {
    process.stdout.write(await running.apply(join(dataDir, 'kubeconfig'), over.signal));
  } catch (error) {
    if (over.signal.aborted) return;
    say(`the demo could not be brought up: ${error instanceof Error ? error.message : String(error)}`);
    child.kill('SIGTERM');
  }
}

async function end(running: Demo | undefined, code: number): Promise<void> {
  await running?.[Symbol.asyncDispose]();
  process.exit(code);
}

/** The value of `--name VALUE` or `--name=VALUE`, and the other arguments. */
function takeOption(name: string, given: readonly string[]): readonly [string | undefined, readonly string[]] {
  const at = given.findIndex((argument) => argument === name || argument.startsWith(`${name}=`));
  const found = given[at];
  if (found === undefined) return [undefined, given];
  if (found !== name) return [found.slice(name.length + 1), given.toSpliced(at, 1)];
  return [given[at + 1], given.toSpliced(at, 2)];
}
