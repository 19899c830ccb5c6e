/** `npm start`: builds what is not built and runs `skerry up` with the arguments given after `--`. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { buildBundles } from './build.ts';
import { ROOT } from './tasks.ts';

await buildBundles();
const child = spawn(join(ROOT, 'bin', 'skerry'), ['up', ...process.argv.slice(2)], { stdio: 'inherit' });
process.on('SIGINT', () => {});
for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
child.on('exit', (code) => process.exit(code ?? 1));
