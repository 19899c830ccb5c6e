/** A machine that reboots, as far as a test can play it: everything dies, and the boot id is another one. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A wrapper for a process that shall take `file` for the boot id of this machine. Takes root. */
export function ownBootId(file: string): readonly string[] {
  const script = `mount --bind ${file} /proc/sys/kernel/random/boot_id && exec "$@"`;
  return ['unshare', '--mount', 'sh', '-c', script, 'sh'];
}

/** Ends the supervisor and every process below it, as the power switch does. */
export function powerOffPods(home: string): void {
  const folder = join(home, 'supervisor');
  const holder = JSON.parse(readFileSync(join(folder, 'lock'), 'utf8')) as { pid: number };
  const records = join(folder, 'processes');
  const pids = (existsSync(records) ? readdirSync(records) : []).flatMap((id) => {
    const record = JSON.parse(readFileSync(join(records, id, 'record.json'), 'utf8')) as ProcessRecord;
    return record.exit === undefined ? [record.monitor?.pid, record.main.pid] : [];
  });
  const alive = pids.filter((pid) => pid !== undefined);
  for (const pid of [holder.pid, ...alive, ...alive.flatMap(descendants)]) kill(pid);
}

interface ProcessRecord {
  readonly main: { readonly pid: number };
  readonly monitor?: { readonly pid: number };
  readonly exit?: object;
}

function descendants(pid: number): readonly number[] {
  const children = childrenOf(pid);
  return [...children, ...children.flatMap(descendants)];
}

function childrenOf(pid: number): readonly number[] {
  try {
    return execFileSync('ps', ['-o', 'pid=', '--ppid', String(pid)], { encoding: 'utf8' })
      .split('\n')
      .filter(Boolean)
      .map(Number);
  } catch {
    return [];
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}
