/**
 * `npm run pack`: one tarball an architecture that needs nothing of the machine it lands on: Node, bundles, units, licence.
 * `-- --arch ARCH` packs one, `--out DIR` puts it elsewhere, `--fast` takes the bundles as they are and compresses little.
 */
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { nodeBinary, npmPackage } from '@skerry/testkit/processes';
import { BUNDLES, buildBundles, FILES, LIB, NATIVE_FOLDER, nativePackage, version } from './build.ts';
import { capture, ROOT, say } from './tasks.ts';

const ARCHES = ['x64', 'arm64'] as const;
type Arch = (typeof ARCHES)[number];

const DIST = join(ROOT, 'dist');
/** Reproducible: the same sources give the same bytes. */
const TAR_FLAGS = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner'];

interface PackOptions {
  readonly arch: Arch;
  /** The folder that gets the tarball. */
  readonly out: string;
  /** 1 to 9, as gzip has it. */
  readonly level: number;
}

async function pack({ arch, out, level }: PackOptions): Promise<string> {
  const name = `skerry-${version()}-linux-${arch}`;
  const work = mkdtempSync(join(out, '.pack-'));
  const stage = join(work, name);
  for (const folder of ['bin', 'lib', 'systemd']) mkdirSync(join(stage, folder), { recursive: true });
  copyFileSync(join(ROOT, 'bin', 'skerry'), join(stage, 'skerry'));
  copyFileSync(nodeBinary(arch), join(stage, 'bin', 'node'));
  for (const file of ['skerry', 'bin/node']) chmodSync(join(stage, file), 0o755);
  for (const file of Object.keys(FILES)) copyFileSync(join(LIB, file), join(stage, 'lib', file));
  for (const bundle of BUNDLES) copyFileSync(join(LIB, `${bundle}.cjs`), join(stage, 'lib', `${bundle}.cjs`));
  copyNative(arch, join(stage, 'lib', NATIVE_FOLDER));
  cpSync(join(ROOT, 'deploy', 'systemd'), join(stage, 'systemd'), { recursive: true });
  for (const file of ['LICENSE', 'NOTICE', 'README.md', 'CHANGELOG.md'])
    copyFileSync(join(ROOT, file), join(stage, file));
  copyLicenses(join(stage, 'licenses'));
  const tarball = join(out, `${name}.tar.gz`);
  // The time of packing is no part of it (-n): the same sources give the same bytes.
  await must('tar', [...TAR_FLAGS, '-C', work, '-I', `gzip -n -${level}`, '-cf', join(work, 'tarball'), name]);
  renameSync(join(work, 'tarball'), tarball);
  rmSync(work, { recursive: true, force: true });
  return tarball;
}

function copyNative(arch: Arch, to: string): void {
  const installed = join(ROOT, 'node_modules', nativePackage(process.arch), 'package.json');
  const { version: wanted } = JSON.parse(readFileSync(installed, 'utf8')) as { readonly version: string };
  cpSync(npmPackage(nativePackage(arch), wanted), to, { recursive: true });
}

/** The licences of what the tarball holds beside our own work: Node, and the npm packages of the bundles' ledgers. */
function copyLicenses(to: string): void {
  mkdirSync(to);
  const ledgers = BUNDLES.map((bundle) => readFileSync(join(LIB, `${bundle}.ledger.txt`), 'utf8')).join('\n');
  const bundled = [...ledgers.matchAll(/^npm: (\S+)$/gm)].map((match) => match[1] ?? '');
  const node = ARCHES.map((arch) => `node-linux-${arch}`).find((name) => existsSync(join(ROOT, 'node_modules', name)));
  for (const name of new Set([...bundled, node ?? ''].filter((each) => each !== ''))) {
    copyFileSync(licenseOf(join(ROOT, 'node_modules', name)), join(to, `${name.replace('/', '-')}.txt`));
  }
}

/** Some packages only name their licence, in their package.json. */
function licenseOf(folder: string): string {
  const file = readdirSync(folder).find((name) => /^licen[cs]e(\.(md|txt))?$/i.test(name));
  return join(folder, file ?? 'package.json');
}

async function must(command: string, args: readonly string[]): Promise<void> {
  const { code, output } = await capture(command, args);
  if (code !== 0) throw new Error(`${command} failed: ${output}`);
}

if (import.meta.main) await main();

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { arch: { type: 'string' }, out: { type: 'string' }, fast: { type: 'boolean', default: false } },
  });
  const arches = ARCHES.filter((arch) => values.arch === undefined || values.arch === arch);
  if (arches.length === 0) throw new Error(`--arch is one of ${ARCHES.join(', ')}`);
  const out = resolve(values.out ?? DIST);
  mkdirSync(out, { recursive: true });
  await buildBundles(!values.fast);
  for (const arch of arches) {
    const tarball = await pack({ arch, out, level: values.fast ? 1 : 9 });
    say(`${relative(ROOT, tarball)} (${Math.round(statSync(tarball).size / 2 ** 20)} MiB)`);
  }
}
