/** The data worker with the devices of the factory (`--demo factory`) while nobody asks for anything: memory after twice `--seconds N`, and that of the agent beside it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { Gvr, KubeObject } from '@skerry/api';
import { CHECKOUT, eventually, freePort } from '@skerry/testkit/processes';
import { report, round } from './support/figures.ts';
import { cpuSecondsOf, type Memory, memoryOf } from './support/running.ts';
import { clientOf } from './support/site.ts';

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '20' } } });
const restMs = Number(values.seconds) * 1000;
const DEVICES: Gvr = { group: 'devices.skerry.io', version: 'v1alpha1', resource: 'devices' };
const FACTORY_DEVICES = 4;

interface Device extends KubeObject {
  readonly status?: { readonly state?: string };
}

const dir = mkdtempSync(join(tmpdir(), 'skerry-bench-'));
const demo = await start();
try {
  await untilConnected();
  await sleep(restMs);
  const pids = programs();
  const worker = pids.get('data-worker.cjs') ?? 0;
  const [memory, agent, before] = [memoryOf(worker), memoryOf(pids.get('edge.cjs') ?? 0), cpuSecondsOf(worker)];
  await sleep(restMs);
  const perMinute = ((cpuSecondsOf(worker) - before) / restMs) * 60_000;
  const later = memoryOf(worker);
  report(
    {
      name: 'data worker with the factory, PSS beside one other process of Node.js',
      value: round(later.nodePssMb),
      unit: 'MB',
      atMost: 200,
      note: `after ${2 * Number(values.seconds)} s; ${inWords(later)}; four drivers in threads, ${round(perMinute, 2)} s of a core a minute`,
    },
    { name: 'its growth over the second half', value: round(later.privateMb - memory.privateMb), unit: 'MB' },
    { name: 'the agent beside it', value: round(agent.nodePssMb), unit: 'MB', atMost: 75, note: inWords(agent) },
  );
} finally {
  await stop();
  for (const folder of [dir, `${dir}-keys`]) rmSync(folder, { recursive: true, force: true });
}

async function start(): Promise<ChildProcess> {
  const ports = [await freePort(), await freePort()].map((port) => `127.0.0.1:${port}`);
  const flags = ['--listen', ports[0] ?? '', '--link-listen', ports[1] ?? '', '--registry-listen', 'none'];
  const script = join(CHECKOUT, 'scripts', 'start.ts');
  return spawn(process.execPath, ['--conditions=source', script, '--demo', 'factory', ...flags], {
    cwd: CHECKOUT,
    env: { ...process.env, SKERRY_DATA_DIR: dir, SKERRY_KEY_DIR: `${dir}-keys` },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

async function stop(): Promise<void> {
  if (demo.exitCode !== null) return;
  const ended = once(demo, 'exit');
  demo.kill('SIGTERM');
  await ended;
}

async function untilConnected(): Promise<void> {
  const client = await eventually('the cloud', () => clientOf(join(dir, 'kubeconfig')), { timeoutMs: 60_000 });
  const isDone = async () => {
    const { items } = await client.list<Device>(DEVICES, { namespace: 'default' });
    return items.filter(({ status }) => status?.state === 'Connected').length === FACTORY_DEVICES;
  };
  await eventually('the devices', isDone, { timeoutMs: 120_000 });
  client.close();
}

/** Those of ours that run, by the name of their bundle: below whoever was started with our data directory. */
function programs(): ReadonlyMap<string, number> {
  const all = readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((entry) => processAt(Number(entry)) ?? []);
  const ours = new Set(all.filter(({ command }) => command.some((word) => word.startsWith(dir))).map(({ pid }) => pid));
  return new Map(
    all
      .filter(({ pid, parent }) => ours.has(pid) || ours.has(parent))
      .map(({ pid, command }) => [
        command
          .find((word) => word.endsWith('.cjs'))
          ?.split('/')
          .at(-1) ?? '',
        pid,
      ]),
  );
}

function processAt(pid: number) {
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    const [, parent] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
    return { pid, command, parent: Number(parent) };
  } catch {
    return undefined;
  }
}

function inWords({ rssMb, pssMb, privateMb }: Memory): string {
  return `RSS ${round(rssMb)} MB, PSS here ${round(pssMb)} MB, private ${round(privateMb)} MB`;
}
