/** The agent with 20 process pods: memory and processor time while idle (`--minutes N`), beside a bare bundle of its imports. */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startBareBundle } from './support/bare-bundle.ts';
import { report, round } from './support/figures.ts';
import { cpuSecondsOf, memoryOf, supervisorIn } from './support/running.ts';
import { DEPLOYMENTS, idleDeployment, startSite, untilRunning } from './support/site.ts';

const PODS = 20;
const MINUTE_MS = 60_000;

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '10' } } });
const minutes = Number(values.minutes);

using bare = await startBareBundle();
await using site = await startSite('bench');
await site.client.create(DEPLOYMENTS, idleDeployment('idle', PODS), {});
await untilRunning(site.client, PODS);

const agent = site.edge.process.pid;
const supervisor = supervisorIn(site.edge.dir);
const cloud = site.cloud.process.pid;
// The first half of the time settles what the start left behind; the slope is that of the second.
await sleep((minutes * MINUTE_MS) / 2);
const halfway = memoryOf(agent).privateMb;
const cpuBefore = [agent, supervisor, cloud].map(cpuSecondsOf);
await sleep((minutes * MINUTE_MS) / 2);
const seconds = (minutes * MINUTE_MS) / 2_000;
const [agentCpu = 0, supervisorCpu = 0, cloudCpu = 0] = [agent, supervisor, cloud].map(
  (pid, index) => ((cpuSecondsOf(pid) - (cpuBefore[index] ?? 0)) / seconds) * 100,
);
const [agentMemory, supervisorMemory, cloudMemory, bareMemory] = [agent, supervisor, cloud, bare.pid].map(memoryOf);
if (!agentMemory || !supervisorMemory || !cloudMemory || !bareMemory) throw new Error('a process has ended');

const inWords = ({ rssMb, pssMb, privateMb }: typeof agentMemory) =>
  `${round(rssMb)} MB resident, ${round(privateMb)} MB private, ${round(pssMb)} MB PSS among all that run here`;
const after = `after ${minutes} minutes`;
report(
  {
    name: `agent with ${PODS} pods, PSS beside its supervisor alone`,
    value: round(agentMemory.nodePssMb),
    unit: 'MB',
    atMost: 75,
    of: 'a bare bundle of the same imports',
    ratio: round(agentMemory.nodePssMb / bareMemory.nodePssMb, 2),
    ratioAtMost: 1.3,
    note: `${after}; ${inWords(agentMemory)}; bare ${round(bareMemory.nodePssMb)} MB, ${inWords(bareMemory)}`,
  },
  { name: 'its growth over the second half', value: round(agentMemory.privateMb - halfway), unit: 'MB', atMost: 1 },
  {
    name: 'supervisor, PSS beside the agent alone',
    value: round(supervisorMemory.nodePssMb),
    unit: 'MB',
    note: inWords(supervisorMemory),
  },
  { name: 'cloud, PSS', value: round(cloudMemory.pssMb), unit: 'MB', note: inWords(cloudMemory) },
  { name: 'processor time of the idle agent', value: round(agentCpu, 2), unit: '% of a core', atMost: 1 },
  { name: 'processor time of the idle supervisor', value: round(supervisorCpu, 2), unit: '% of a core' },
  { name: 'processor time of the idle cloud', value: round(cloudCpu, 2), unit: '% of a core' },
);
