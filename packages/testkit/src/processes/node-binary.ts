/** Node of an architecture that need not be this machine's: installed with the packages, or fetched once into the checkout's cache. */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CHECKOUT } from './checkout.ts';
import { must } from './kubectl.ts';

const NODE_VERSION = '24.21.0';
const CACHE = join(CHECKOUT, '.cache', 'node');

export function nodeBinary(arch: 'x64' | 'arm64'): string {
  const installed = join(CHECKOUT, 'node_modules', `node-linux-${arch}`, 'bin', 'node');
  if (existsSync(installed)) return installed;
  const target = join(CACHE, `${NODE_VERSION}-${arch}`);
  const cached = join(target, 'package', 'bin', 'node');
  if (!existsSync(cached)) fetchNode(arch, target);
  return cached;
}

function fetchNode(arch: string, target: string): void {
  mkdirSync(target, { recursive: true });
  const work = mkdtempSync(join(CACHE, 'fetch-'));
  try {
    must('npm', ['pack', '--silent', `node-linux-${arch}@${NODE_VERSION}`, '--pack-destination', work], work);
    must('sh', ['-c', `tar -xzf ./*.tgz -C '${target}' package/bin/node`], work);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Runs a program of arm64 on this machine, with the C and C++ libraries of Debian's cross packages. */
export function emulated(program: string): readonly [string, ...string[]] {
  return ['qemu-aarch64-static', '-L', '/usr/aarch64-linux-gnu', program];
}
