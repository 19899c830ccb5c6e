// The door for `npm start` and `npm test` on a fresh clone: runs on any Node >= 20, brings the packages, then hands over to
// the Node 24 that came with them. Plain JavaScript, because an older Node cannot read the TypeScript beside it.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MIN_NODE = [24, 11];
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [script, ...args] = process.argv.slice(2);

if (packagesAreStale()) installPackages();
handOver(findNode());

/** True when the installed packages are not those of the lock file. */
function packagesAreStale() {
  const installed = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(installed)) return true;
  const lock = join(root, 'package-lock.json');
  return statSync(lock).mtimeMs > statSync(installed).mtimeMs && lockDiffers(lock, installed);
}

/** Optional packages do not count: which of them are there is the machine's affair. */
function lockDiffers(lock, installed) {
  const versions = (file) =>
    Object.entries(JSON.parse(readFileSync(file, 'utf8')).packages)
      .filter(
        ([path, entry]) =>
          path.startsWith('node_modules/') && !entry.link && !entry.optional && !entry.devOptional && !entry.peer,
      )
      .map(([path, entry]) => `${path}@${entry.version}`)
      .sort()
      .join('\n');
  return versions(lock) !== versions(installed);
}

function installPackages() {
  console.error('skerry: installing npm packages (once)');
  const npm = process.env.npm_execpath;
  const [command, prefix] = npm === undefined ? ['npm', []] : [process.execPath, [npm]];
  const result = spawnSync(command, [...prefix, 'ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    // Standard output stays free for what the command itself has to say.
    stdio: ['ignore', 2, 2],
  });
  if (result.status !== 0) fail('npm ci failed; the messages above say why. Try again once the registry is reachable.');
}

/** The Node that npm brought for this machine, else the running one when it is new enough. */
function findNode() {
  const brought = join(root, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin', 'node');
  if (existsSync(brought)) return brought;
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > MIN_NODE[0] || (major === MIN_NODE[0] && minor >= MIN_NODE[1])) return process.execPath;
  return fail(
    `no Node for ${process.platform}-${process.arch} came with the packages; install Node ${MIN_NODE.join('.')} or newer and try again.`,
  );
}

function handOver(node) {
  const child = spawn(node, ['--conditions=source', join(root, 'scripts', script), ...args], { stdio: 'inherit' });
  // A terminal's Ctrl-C reaches the child by itself; this process only has to wait for it.
  process.on('SIGINT', () => {});
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => process.exit(signal === null ? code : 1));
}

function fail(sentence) {
  console.error(`skerry: ${sentence}`);
  process.exit(1);
}
