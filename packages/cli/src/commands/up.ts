/** `skerry up`: a cloud and one edge node on this machine, each a process of its own, watched until Ctrl-C. */
import { existsSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Child, childLog, startChild } from '../child.ts';
import { type CliContext, cliErrors } from '../context.ts';
import { DEMOS, type Demo, startDemo } from '../demo.ts';
import { welcome } from '../welcome.ts';
import { createToken } from './token.ts';

export interface UpFlags {
  readonly dataDir?: string;
  readonly listen: string;
  readonly linkListen?: string;
  readonly registryListen?: string;
  readonly advertise?: string;
  readonly keyFile?: string;
  readonly node: string;
  readonly edge: boolean;
  readonly demo?: string;
}

/** How long pods get to stop after Ctrl-C before the processes are ended all the same. */
const STOP_MS = 60_000;

export async function up(context: CliContext, flags: UpFlags, stopSignal: AbortSignal): Promise<void> {
  checkDemo(flags);
  const dataDir = resolve(flags.dataDir ?? context.defaultDataDir);
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const children: Child[] = [];
  try {
    context.say('skerry: starting the cloud\n');
    const cloud = await startChild(context, cloudCommand(dataDir, flags), stopSignal);
    children.push(cloud);
    const demo = flags.demo === undefined ? undefined : await demoOf(context, dataDir, flags, stopSignal);
    if (demo !== undefined) children.push(demo.child);
    if (flags.edge) {
      context.say(`skerry: starting the edge node ${flags.node}\n`);
      children.push(await startChild(context, await edgeCommand(context, dataDir, flags), stopSignal));
    }
    context.print(
      welcome({ context, dataDir, node: flags.edge ? flags.node : undefined, server: cloud.facts['server'] ?? '' }),
    );
    if (demo !== undefined) context.print(await demo.apply(join(dataDir, 'kubeconfig'), stopSignal));
    await aborted(stopSignal);
  } catch (error) {
    if (!stopSignal.aborted) throw error;
  } finally {
    if (children.length > 0) context.say('skerry: stopping, pods first\n');
    // The agent first, while the API still takes what the pods' end has to say.
    for (const child of children.reverse()) await child.stop(STOP_MS);
  }
}

function checkDemo({ demo, edge }: UpFlags): void {
  if (demo === undefined) return;
  if (!DEMOS.includes(demo))
    throw cliErrors.INVALID_ARGUMENT({ argument: '--demo', problem: `there is ${DEMOS.join(', ')}, and no ${demo}` });
  if (!edge) throw cliErrors.INVALID_ARGUMENT({ argument: '--no-edge', problem: 'a demo needs the edge node' });
}

function demoOf(
  context: CliContext,
  dataDir: string,
  { demo: name = '', node }: UpFlags,
  stop: AbortSignal,
): Promise<Demo> {
  context.say(`skerry: starting the devices of the ${name}\n`);
  return startDemo(context, { name, node, dataDir }, stop);
}

function cloudCommand(dataDir: string, flags: UpFlags) {
  const optional = {
    'link-listen': flags.linkListen,
    'registry-listen': flags.registryListen,
    advertise: flags.advertise,
    'key-file': flags.keyFile,
  };
  const extra = Object.entries(optional).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}`, value]));
  return {
    name: 'cloud',
    args: ['--data-dir', dataDir, '--listen', flags.listen, ...extra],
    log: childLog(join(dataDir, 'cloud'), 'cloud.log'),
    stopWith: 'SIGTERM' as const,
  };
}

async function edgeCommand(context: CliContext, dataDir: string, flags: UpFlags) {
  const home = join(dataDir, 'edge', flags.node);
  const isJoined = existsSync(join(home, 'identity', 'identity.json'));
  const token = isJoined ? undefined : (await createToken(context, { dataDir, node: flags.node, ttl: '10m' })).token;
  return {
    name: 'edge',
    args: ['--data-dir', dataDir, '--node', flags.node],
    log: childLog(home, 'edge.log'),
    // Told by a message, the agent stops its pods with their grace; a plain SIGTERM leaves them running.
    stopWith: 'message' as const,
    // The environment, not the arguments: every user of the machine can read those.
    ...(token === undefined ? {} : { env: { SKERRY_TOKEN: token } }),
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((done) => signal.addEventListener('abort', () => done(), { once: true }));
}
