/** How much of the host is used: memory, processor, disk, processes. */
import { readFileSync, statfsSync } from 'node:fs';
import { join } from 'node:path';

export interface HostUsage {
  readonly memoryTotal: number;
  readonly memoryAvailable: number;
  readonly cpuSeconds: number;
  readonly diskTotal: number;
  readonly diskAvailable: number;
  readonly inodesTotal: number;
  readonly inodesFree: number;
  readonly pidLimit: number;
  readonly processes: number;
}

const TICKS_PER_SECOND = 100;

/** `directory` chooses the file system; `root` is where /proc is looked for. */
export function readHostUsage(directory: string, root = '/'): HostUsage {
  const memory = readFileSync(join(root, 'proc/meminfo'), 'utf8');
  const kib = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(memory)?.[1] ?? 0) * 1024;
  const disk = statfsSync(directory);
  return {
    memoryTotal: kib('MemTotal'),
    memoryAvailable: kib('MemAvailable'),
    cpuSeconds: busySeconds(readFileSync(join(root, 'proc/stat'), 'utf8')),
    diskTotal: disk.blocks * disk.bsize,
    diskAvailable: disk.bavail * disk.bsize,
    inodesTotal: disk.files,
    inodesFree: disk.ffree,
    pidLimit: Number(readFileSync(join(root, 'proc/sys/kernel/pid_max'), 'utf8')),
    processes: Number(readFileSync(join(root, 'proc/loadavg'), 'utf8').split(' ')[3]?.split('/')[1] ?? 0),
  };
}

/** User, nice, system, irq and softirq; not idle, not waiting. */
function busySeconds(stat: string): number {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = (stat.split('\n')[0] ?? '')
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return (user + nice + system + irq + softirq) / TICKS_PER_SECOND;
}
