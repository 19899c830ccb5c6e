/** `skerry install cloud|edge`: makes a systemd service of an unpacked release, offline. */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type CliContext, cliErrors } from '../context.ts';

export interface InstallFlags {
  readonly prefix: string;
  /** For tests and image builds: install below this folder and start nothing. */
  readonly root?: string;
  readonly start: boolean;
}

const PARTS = ['skerry', 'bin', 'lib', 'systemd', 'LICENSE', 'NOTICE', 'licenses'] as const;

export type Service = 'cloud' | 'edge';

// What systemd reads as an argument without quoting; anything else could change the unit's meaning.
const PLAIN_ARGUMENT = /^[A-Za-z0-9._~:/@,=+[\]-]+$/;

export function install(context: CliContext, service: Service, args: readonly string[], flags: InstallFlags): void {
  const release = dirname(context.lib);
  if (!existsSync(join(release, 'systemd'))) {
    throw cliErrors.INSTALL_FAILED({
      reason: "this is a checkout; unpack a tarball of 'npm run pack' and run its ./skerry install",
    });
  }
  if (flags.root === undefined && process.getuid?.() !== 0) {
    throw cliErrors.INSTALL_FAILED({
      reason: 'a service is for root to install: run this with sudo, or name a folder with --root',
    });
  }
  const strange = args.find((argument) => !PLAIN_ARGUMENT.test(argument));
  if (strange !== undefined)
    throw cliErrors.INVALID_ARGUMENT({ argument: strange, problem: 'has characters that a unit file cannot hold' });
  const root = flags.root ?? '/';
  copyRelease(release, join(root, flags.prefix));
  const unit = writeUnit(release, root, flags.prefix, service, args);
  context.say(`skerry: wrote ${unit}\n`);
  if (flags.root === undefined && flags.start) startService(context, service);
}

/**
 * Everything is copied beside its place before anything is swapped: a full disk leaves the installed release whole,
 * and a program that runs keeps the file it was started from.
 */
function copyRelease(from: string, to: string): void {
  if (from === to) return;
  mkdirSync(to, { recursive: true });
  const parts = PARTS.map((part) => ({ source: join(from, part), place: join(to, part) }));
  try {
    for (const { source, place } of parts) {
      rmSync(`${place}.new`, { recursive: true, force: true });
      cpSync(source, `${place}.new`, { recursive: true });
    }
    for (const { place } of parts) swapIn(place);
  } finally {
    for (const { place } of parts) rmSync(`${place}.new`, { recursive: true, force: true });
  }
}

/** A folder cannot be renamed over another one: the old one steps aside first. */
function swapIn(place: string): void {
  const old = `${place}.old`;
  rmSync(old, { recursive: true, force: true });
  if (existsSync(place)) renameSync(place, old);
  renameSync(`${place}.new`, place);
  rmSync(old, { recursive: true, force: true });
}

function writeUnit(release: string, root: string, prefix: string, service: Service, args: readonly string[]): string {
  const template = readFileSync(join(release, 'systemd', `skerry-${service}.service`), 'utf8');
  const units = join(root, 'etc/systemd/system');
  mkdirSync(units, { recursive: true });
  const unit = join(units, `skerry-${service}.service`);
  writeFileSync(
    unit,
    template.replace('@PREFIX@', prefix).replace(' @FLAGS@', args.map((argument) => ` ${argument}`).join('')),
    { mode: 0o600 },
  );
  return unit;
}

function startService(context: CliContext, service: Service): void {
  const unit = `skerry-${service}.service`;
  // `enable --now` would leave one that runs with the release before.
  for (const args of [['daemon-reload'], ['enable', unit], ['restart', unit]]) {
    const { status, error } = spawnSync('systemctl', args, { stdio: 'inherit' });
    if (status !== 0)
      throw cliErrors.INSTALL_FAILED({
        reason: `systemctl ${args.join(' ')} failed${error === undefined ? '' : `: ${error.message}`}`,
      });
  }
  context.say(`skerry: skerry-${service} runs; 'journalctl -u skerry-${service} -f' shows its log\n`);
}
