/** Programs of an architecture that need not be this machine's: installed with the packages, or fetched once into the checkout's cache. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CHECKOUT } from './checkout.ts';
import { must } from './kubectl.ts';

const NODE_VERSION = '24.21.0';
const CACHE = join(CHECKOUT, '.cache', 'node');

export function nodeBinary(arch: 'x64' | 'arm64'): string {
  return join(npmPackage(`node-linux-${arch}`, NODE_VERSION), 'bin', 'node');
}

/** The folder of a package: installed here, or, of another architecture, fetched. */
export function npmPackage(name: string, version: string): string {
  const installed = join(CHECKOUT, 'node_modules', name);
  if (existsSync(installed) && versionOf(installed) === version) return installed;
  const target = join(CACHE, `${name.replace('/', '-')}-${version}`);
  if (!existsSync(target)) fetchPackage(`${name}@${version}`, target);
  return target;
}

function versionOf(folder: string): unknown {
  return (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { readonly version?: unknown }).version;
}

function fetchPackage(wanted: string, target: string): void {
  mkdirSync(CACHE, { recursive: true });
  const work = mkdtempSync(join(CACHE, 'fetch-'));
  try {
    must('npm', ['pack', '--silent', wanted, '--pack-destination', work], work);
    must('sh', ['-c', 'tar -xzf ./*.tgz'], work);
    renameSync(join(work, 'package'), target);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Runs a program of arm64 on this machine, with the C and C++ libraries of Debian's cross packages. */
export function emulated(program: string): readonly [string, ...string[]] {
  return ['qemu-aarch64-static', '-L', '/usr/aarch64-linux-gnu', program];
}
