/** An agent whose pods do nothing: its memory and processor time, beside a bare bundle of its imports. */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { openGround, TestEdge } from '@skerry/testkit/processes';
import { startBareBundle } from './bare-bundle.ts';
import { report, round } from './figures.ts';
import { cpuSecondsOf, type Memory, memoryOf, supervisorIn } from './running.ts';
import { DEPLOYMENTS, idleDeployment, startSite, untilRunning } from './site.ts';

const NODE = 'bench';
const MINUTE_MS = 60_000;

export interface IdleAgent {
  /** The name of the runtime. */
  readonly kind: string;
  readonly pods: number;
  readonly atMostMb: number;
  readonly ratioAtMost?: number;
}

/** For as long as `--minutes N` says. */
export async function measureIdleAgent({ kind, pods, ...promised }: IdleAgent): Promise<void> {
  const { values } = parseArgs({ options: { minutes: { type: 'string', default: '10' } } });
  const minutes = Number(values.minutes);
  using bare = await startBareBundle();
  await using ground = await openGround(kind);
  await using site = await startSite(NODE, (cloud) => TestEdge.join(cloud, { name: NODE, ...ground.edge }));
  await site.client.create(DEPLOYMENTS, idleDeployment('idle', pods, ground.runtime), {});
  await untilRunning(site.client, pods);

  const pids = { agent: site.edge.process.pid, supervisor: supervisorIn(site.edge.dir), cloud: site.cloud.process.pid };
  // The first half of the time settles what the start left behind; growth and processor time are those of the second.
  await sleep((minutes * MINUTE_MS) / 2);
  const before = lookAt(pids);
  await sleep((minutes * MINUTE_MS) / 2);
  const after = lookAt(pids);
  const bareMemory = memoryOf(bare.pid);
  const { agent, supervisor, cloud } = after.memory;
  const growth = agent.privateMb - before.memory.agent.privateMb;
  report(
    {
      name: `agent with ${pods} pods, PSS beside its supervisor alone`,
      value: round(agent.nodePssMb),
      unit: 'MB',
      atMost: promised.atMostMb,
      of: 'a bare bundle of the same imports',
      ratio: round(agent.nodePssMb / bareMemory.nodePssMb, 2),
      ...(promised.ratioAtMost === undefined ? {} : { ratioAtMost: promised.ratioAtMost }),
      note: `after ${minutes} minutes; ${inWords(agent)}; bare ${round(bareMemory.nodePssMb)} MB, ${inWords(bareMemory)}`,
    },
    { name: 'its growth over the second half', value: round(growth), unit: 'MB', atMost: 1 },
    {
      name: 'supervisor, PSS beside the agent alone',
      value: round(supervisor.nodePssMb),
      unit: 'MB',
      note: inWords(supervisor),
    },
    { name: 'cloud, PSS', value: round(cloud.pssMb), unit: 'MB', note: inWords(cloud) },
  );
  for (const who of ['agent', 'supervisor', 'cloud'] as const) {
    const share = ((after.cpu[who] - before.cpu[who]) / ((minutes * MINUTE_MS) / 2_000)) * 100;
    report({
      name: `processor time of the idle ${who}`,
      value: round(share, 2),
      unit: '% of a core',
      ...(who === 'agent' ? { atMost: 1 } : {}),
    });
  }
}

type Pids = Readonly<Record<'agent' | 'supervisor' | 'cloud', number>>;

function lookAt({ agent, supervisor, cloud }: Pids) {
  return {
    memory: { agent: memoryOf(agent), supervisor: memoryOf(supervisor), cloud: memoryOf(cloud) },
    cpu: { agent: cpuSecondsOf(agent), supervisor: cpuSecondsOf(supervisor), cloud: cpuSecondsOf(cloud) },
  };
}

function inWords({ rssMb, pssMb, privateMb }: Memory): string {
  return `${round(rssMb)} MB resident, ${round(privateMb)} MB private, ${round(pssMb)} MB PSS among all that run here`;
}
