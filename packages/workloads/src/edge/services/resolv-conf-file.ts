/** A pod's own resolv.conf on disk, for runtimes that mount it themselves. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ReadyMount } from '../runtime.ts';
import { type DnsSettings, formatResolvConf } from './dns-settings.ts';

const PLACE = '/etc/resolv.conf';

export async function makeResolvConf(directory: string, uid: string, settings: DnsSettings): Promise<ReadyMount> {
  const hostPath = join(directory, uid, 'resolv.conf');
  await mkdir(join(directory, uid), { recursive: true, mode: 0o755 });
  await writeFile(hostPath, formatResolvConf(settings), { mode: 0o644 });
  return { hostPath, mountPath: PLACE, readOnly: true };
}

export async function removeResolvConf(directory: string, uid: string): Promise<void> {
  if (uid !== '') await rm(join(directory, uid), { recursive: true, force: true });
}
