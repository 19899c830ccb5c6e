/** Bundles what runs in production: one CommonJS file a process, or kind of threads, into dist/lib. `--force` builds even when nothing changed. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join } from 'node:path';
import { build, type Metafile, type Plugin } from 'esbuild';
import { ROOT, say } from './tasks.ts';

export const LIB = join(ROOT, 'dist', 'lib');

/** Each process, or kind of threads, and where its story begins. The supervisor has no npm dependency; the check fails when it gets one. */
const ENTRIES: Readonly<Record<string, string>> = {
  skerry: 'packages/cli/src/bin.ts',
  cloud: 'packages/cloud/src/bin.ts',
  edge: 'packages/edge/src/bin.ts',
  supervisor: 'packages/workloads/src/supervisor/main.ts',
  unpack: 'packages/workloads/src/images/unpack/bin.ts',
  'data-worker': 'packages/edge/src/worker/bin.ts',
  'device-thread': 'packages/devices/src/edge/worker/thread/bin.ts',
  'opcua-gateway': 'packages/devices/src/edge/gateway/bin.ts',
  'node-opcua-client': 'node-opcua-client',
  factory: 'packages/devices/src/simulators/factory/bin.ts',
  'series-sql': 'packages/streams/src/query/sql/bin.ts',
  'rule-trial': 'packages/streams/src/trial/bin.ts',
};

/** All of them: a release holds each. */
export const BUNDLES: readonly string[] = Object.keys(ENTRIES);

/** What a bundle reads from beside itself. */
export const FILES: Readonly<Record<string, string>> = {
  'Opc.Ua.NodeSet2.xml': 'node_modules/node-opcua-nodesets/nodesets/Opc.Ua.NodeSet2.xml',
  'factory.yaml': 'examples/factory/factory.yaml',
};

/** Large packages that one thread alone needs: bundles of their own, so that nobody else reads and keeps their text. */
const APART: readonly string[] = ['node-opcua-client'];

// Optional companions: pure JavaScript serves us, and a bundle cannot carry binaries. The last one is for lock files that nobody here makes.
const EXTERNAL = ['bufferutil', 'utf-8-validate', '@lydell/node-pty', 'proper-lockfile'];

/** The database that answers SQL is native: beside the bundles, in a folder of its own. */
export const NATIVE_FOLDER = 'duckdb';
export const nativePackage = (arch: string): string => `@duckdb/node-bindings-linux-${arch}`;

/** Builds all bundles unless they are newer than every source file. */
export async function buildBundles(force = false): Promise<void> {
  if (!force && isFresh()) return;
  mkdirSync(LIB, { recursive: true });
  for (const [name, from] of Object.entries(FILES)) replaceFile(join(LIB, name), readFileSync(join(ROOT, from)));
  linkNative();
  await Promise.all(Object.entries(ENTRIES).map(([name, entry]) => bundle(name, entry)));
}

/** A machine for which there is none has everything but SQL. */
function linkNative(): void {
  const fresh = join(LIB, `${NATIVE_FOLDER}.${process.pid}`);
  symlinkSync(join(ROOT, 'node_modules', nativePackage(process.arch)), fresh);
  renameSync(fresh, join(LIB, NATIVE_FOLDER));
}

async function bundle(name: string, entry: string): Promise<void> {
  const result = await build({
    absWorkingDir: ROOT,
    entryPoints: [entry],
    outfile: join(LIB, `${name}.cjs`),
    bundle: true,
    write: false,
    minify: true,
    keepNames: true,
    platform: 'node',
    target: 'node24',
    format: 'cjs',
    conditions: ['source'],
    external: EXTERNAL,
    plugins: [leaveApart(entry), leaveNative, knowVersion],
    define: { __SKERRY_VERSION__: JSON.stringify(version()), 'import.meta.dirname': '__dirname' },
    metafile: true,
    legalComments: 'none',
    logLevel: 'warning',
  });
  replaceFile(join(LIB, `${name}.ledger.txt`), ledgerOf(result.metafile));
  for (const { path, text } of result.outputFiles) replaceFile(path, inAscii(text));
}

/** Are made of the same parts as the server that they hold: two copies would not know each other's types. */
const WHOLE: readonly (string | undefined)[] = [ENTRIES['opcua-gateway'], ENTRIES['factory']];

/** Whoever imports such a package requires the bundle beside its own. */
function leaveApart(entry: string): Plugin {
  const names = WHOLE.includes(entry) ? [] : APART.filter((name) => name !== entry);
  return {
    name: 'leave apart',
    setup: (building) => {
      for (const name of names)
        building.onResolve({ filter: new RegExp(`^${name}$`) }, () => ({ path: `./${name}.cjs`, external: true }));
    },
  };
}

const leaveNative: Plugin = {
  name: 'leave native',
  setup: (building) => {
    building.onResolve({ filter: /^@duckdb\/node-bindings$/ }, () => ({
      path: `./${NATIVE_FOLDER}/duckdb.node`,
      external: true,
    }));
  },
};

/** The OPC UA server reads its own version from its package.json, which is not beside a bundle. */
const knowVersion: Plugin = {
  name: 'know version',
  setup: (building) => {
    building.onLoad({ filter: /node-opcua-server\/dist\/opcua_server\.js$/ }, ({ path }) => {
      const source = readFileSync(path, 'utf8');
      const { version } = JSON.parse(readFileSync(join(dirname(path), '..', 'package.json'), 'utf8')) as Versioned;
      const contents = source.replace(
        /const packageVersion = JSON\.parse\([\s\S]*?;/,
        `const packageVersion = ${JSON.stringify(version)};`,
      );
      if (contents === source) throw new Error(`${path} no longer reads its version as it did`);
      return { contents };
    });
  },
};

interface Versioned {
  readonly version: string;
}

/** One letter that is not of Latin-1, and V8 keeps two bytes for each of the file. What the bundler leaves is in regular expressions. */
const inAscii = (source: string): string =>
  source.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** At once, because other processes may be starting from the file. */
function replaceFile(path: string, contents: string | Uint8Array): void {
  const fresh = `${path}.${process.pid}`;
  writeFileSync(fresh, contents);
  renameSync(fresh, path);
}

/** What a bundle contains: our code by room, npm packages and Node's modules by name. Sorted, so that a diff reads well. */
function ledgerOf(metafile: Metafile): string {
  const inputs = Object.keys(metafile.inputs).map((path) => {
    const npm = /^(?:.*\/)?node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path);
    return npm === null ? dirname(path) : `npm: ${npm[1]}`;
  });
  const builtins = Object.values(metafile.inputs)
    .flatMap(({ imports }) => imports)
    .filter(({ external, path }) => external === true && isBuiltin(path))
    .map(({ path }) => `node: ${path.replace(/^node:/, '')}`);
  return `${[...new Set([...inputs, ...builtins])].sort().join('\n')}\n`;
}

export function version(): string {
  return (JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Versioned).version;
}

function isFresh(): boolean {
  const outputs = Object.keys(ENTRIES).map((name) => join(LIB, `${name}.cjs`));
  if (!outputs.every(existsSync)) return false;
  const oldest = Math.min(...outputs.map((file) => statSync(file).mtimeMs));
  return newestSource() < oldest;
}

function newestSource(): number {
  const packages = readdirSync(join(ROOT, 'packages'));
  const sources = packages.flatMap((name) => {
    const folder = join(ROOT, 'packages', name, 'src');
    if (!existsSync(folder)) return [];
    return readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((file) => join(folder, file));
  });
  const manifests = packages.map((name) => join(ROOT, 'packages', name, 'package.json'));
  const beside = [...Object.values(FILES), 'package-lock.json', 'scripts/build.ts'].map((file) => join(ROOT, file));
  const files = [...sources, ...manifests, ...beside];
  return Math.max(...files.filter(existsSync).map((file) => statSync(file).mtimeMs));
}

if (import.meta.main) {
  const started = performance.now();
  await buildBundles(process.argv.includes('--force'));
  say(`bundles are in dist/lib (${Math.round(performance.now() - started)} ms)`);
}
