/**
 * Fetches the Go types of Kubernetes from Debian unstable and writes the raw facts that everything else is generated from.
 * Needs a Debian or Ubuntu host with apt; touches nothing of the host's own apt configuration.
 */
import { spawnSync } from 'node:child_process';
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { extractFacts } from './facts/extract.ts';

const DEBIAN_PACKAGES = ['golang-k8s-api-dev', 'golang-k8s-apimachinery-dev', 'golang-k8s-apiextensions-apiserver-dev'];
const SUITE = 'sid';
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const DEFAULT_MIRROR = 'http://deb.debian.org/debian';
const OUTPUT = join(import.meta.dirname, '../packages/api/src/generated/facts.json');

function main(): void {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-facts-'));
  try {
    const apt = aptOptions(folder);
    run(folder, 'apt-get', [...apt, 'update']);
    run(folder, 'apt-get', [...apt, 'download', ...DEBIAN_PACKAGES]);
    const archives = globSync('*.deb', { cwd: folder }).sort();
    for (const archive of archives) run(folder, 'dpkg-deb', ['-x', archive, 'tree']);
    const facts = extractFacts(join(folder, 'tree/usr/share/gocode/src'), versionsOf(archives));
    writeFileSync(OUTPUT, `${JSON.stringify(facts, null, 1)}\n`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A whole apt of its own inside `folder`: one source, no state shared with the host. */
function aptOptions(folder: string): string[] {
  for (const each of ['lists/partial', 'archives/partial', 'tree']) mkdirSync(join(folder, each), { recursive: true });
  writeFileSync(join(folder, 'sources.list'), `deb [signed-by=${KEYRING}] ${hostMirror()} ${SUITE} main\n`);
  writeFileSync(join(folder, 'status'), '');
  const settings = {
    'Dir::Etc::sourcelist': join(folder, 'sources.list'),
    'Dir::Etc::sourceparts': '/dev/null',
    'Dir::State::lists': join(folder, 'lists'),
    'Dir::State::status': join(folder, 'status'),
    'Dir::Cache': folder,
    'APT::Sandbox::User': 'root',
  };
  return ['-qq', ...Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`])];
}

/** The mirror that the host's own Debian sources name. */
function hostMirror(): string {
  const sources = globSync('/etc/apt/{sources.list,sources.list.d/*}').map((file) => readFileSync(file, 'utf8'));
  return /\bhttps?:\/\/\S+\/debian(?=\/?\s)/.exec(sources.join('\n'))?.[0] ?? DEFAULT_MIRROR;
}

function versionsOf(archives: readonly string[]): Record<string, string> {
  return Object.fromEntries(archives.map((archive) => archive.split('_') as [string, string]));
}

function run(cwd: string, command: string, args: readonly string[]): void {
  const { status, error } = spawnSync(command, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] });
  if (status !== 0) throw new Error(`${command} failed`, { cause: error });
}

main();
