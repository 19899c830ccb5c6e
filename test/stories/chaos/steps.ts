/** What may happen to a world, at random: outages of every part, and the work of people who do not care for outages. */
import type { Dice } from './dice.ts';
import {
  CONFIG_MAPS,
  DEPLOYMENTS,
  NAMESPACE,
  NODES,
  PODS,
  type Site,
  supervisorOf,
  type Wanted,
  type World,
} from './world.ts';

const MAX_DEPLOYMENTS = 6;
const MAX_REPLICAS = 4;
/** The deployment that nobody touches: whatever happens, its pods run on. */
export const STEADY = 'steady';

type Step = (world: World, dice: Dice) => Promise<void>;

/** A step that stands here twice is taken twice as often. */
const STEPS: readonly Step[] = [
  startWhatIsDown,
  startWhatIsDown,
  startWhatIsDown,
  killCloud,
  stopCloud,
  killAgent,
  killAgent,
  stopAgent,
  killSupervisor,
  killSupervisor,
  toggleCable,
  toggleCable,
  toggleCable,
  createDeployment,
  createDeployment,
  createDeployment,
  scale,
  scale,
  change,
  change,
  removeDeployment,
  setConfig,
  setConfig,
  removePod,
  removePod,
  toggleCordon,
];

export function step(world: World, dice: Dice): Promise<void> {
  return dice.pick(STEPS)(world, dice);
}

/** Keeps outages short enough for work to be done between them. */
async function startWhatIsDown(world: World): Promise<void> {
  if (!world.cloud.process.isRunning) await startCloud(world);
  const down = world.sites.find(({ edge }) => !edge.process.isRunning);
  if (down !== undefined) await startAgent(world, down);
}

async function killCloud(world: World): Promise<void> {
  if (!world.cloud.process.isRunning) return startCloud(world);
  world.note('kill -9 the cloud');
  await world.cloud.process.kill9();
}

async function stopCloud(world: World): Promise<void> {
  if (!world.cloud.process.isRunning) return startCloud(world);
  world.note('stop the cloud');
  await world.cloud.process.stop();
}

async function startCloud(world: World): Promise<void> {
  world.note('start the cloud');
  await world.cloud.process.start();
}

async function killAgent(world: World, dice: Dice): Promise<void> {
  const site = dice.pick(world.sites);
  if (!site.edge.process.isRunning) return startAgent(world, site);
  world.note(`kill -9 the agent of ${site.name}`);
  await site.edge.process.kill9();
}

async function stopAgent(world: World, dice: Dice): Promise<void> {
  const site = dice.pick(world.sites);
  if (!site.edge.process.isRunning) return startAgent(world, site);
  world.note(`stop the agent of ${site.name}`);
  await site.edge.process.stop();
}

async function startAgent(world: World, { name, edge }: Site): Promise<void> {
  world.note(`start the agent of ${name}`);
  await edge.process.start();
}

async function killSupervisor(world: World, dice: Dice): Promise<void> {
  const site = dice.pick(world.sites);
  const pid = supervisorOf(site);
  if (pid === undefined) return;
  world.note(`kill -9 the supervisor of ${site.name} (${pid})`);
  process.kill(pid, 'SIGKILL');
}

async function toggleCable(world: World, dice: Dice): Promise<void> {
  const site = dice.pick(world.sites);
  world.note(`${site.isCut ? 'mend' : 'cut'} the cable of ${site.name}`);
  if (site.isCut) site.cable.mend();
  else site.cable.cut();
  site.isCut = !site.isCut;
}

async function createDeployment(world: World, dice: Dice): Promise<void> {
  if (living(world).length >= MAX_DEPLOYMENTS) return;
  const name = `d-${world.deployments.size}`;
  const wanted = { replicas: 1 + dice.roll(MAX_REPLICAS), generation: 1 };
  world.note(`create deployment ${name} with ${wanted.replicas}`);
  await world.write(
    name,
    (client, signal) => {
      const made = world.manifest(name, wanted);
      return client.create(DEPLOYMENTS, { ...made, metadata: { ...made.metadata, namespace: NAMESPACE } }, { signal });
    },
    () => world.deployments.set(name, wanted),
  );
  // Created or not, the name is used.
  if (!world.deployments.has(name)) world.deployments.set(name, undefined);
}

async function scale(world: World, dice: Dice): Promise<void> {
  const found = pickDeployment(world, dice);
  if (found === undefined) return;
  const [name, wanted] = found;
  const replicas = dice.roll(MAX_REPLICAS + 1);
  world.note(`scale ${name} to ${replicas}`);
  await world.write(
    name,
    (client, signal) =>
      client.patch({ gvr: DEPLOYMENTS, namespace: NAMESPACE, name }, { spec: { replicas } }, { type: 'merge', signal }),
    () => world.deployments.set(name, { ...wanted, replicas }),
  );
}

async function change(world: World, dice: Dice): Promise<void> {
  const found = pickDeployment(world, dice);
  if (found === undefined) return;
  const [name, wanted] = found;
  const next = { ...wanted, generation: wanted.generation + 1 };
  world.note(`change ${name} to generation ${next.generation}`);
  const env = [{ name: 'GENERATION', value: String(next.generation) }];
  const patch = { spec: { template: { spec: { containers: [{ name: 'main', env }] } } } };
  await world.write(
    name,
    (client, signal) =>
      client.patch({ gvr: DEPLOYMENTS, namespace: NAMESPACE, name }, patch, { type: 'strategic', signal }),
    () => world.deployments.set(name, next),
  );
}

async function removeDeployment(world: World, dice: Dice): Promise<void> {
  const [name] = pickDeployment(world, dice) ?? [];
  if (name === undefined) return;
  world.note(`delete deployment ${name}`);
  await world.write(
    name,
    (client, signal) =>
      client.delete(
        { gvr: DEPLOYMENTS, namespace: NAMESPACE, name },
        { propagationPolicy: dice.pick(['Background', 'Foreground']), signal },
      ),
    () => world.deployments.set(name, undefined),
  );
}

async function setConfig(world: World, dice: Dice): Promise<void> {
  const value = String(dice.roll(1_000_000));
  world.note(`set settings to ${value}`);
  await world.write(
    'settings',
    (client, signal) =>
      client.patch(
        { gvr: CONFIG_MAPS, namespace: NAMESPACE, name: 'settings' },
        { data: { value } },
        { type: 'merge', signal },
      ),
    () => world.configs.set('settings', value),
  );
}

async function removePod(world: World, dice: Dice): Promise<void> {
  try {
    const pods = (await world.pods()).filter(({ metadata }) => metadata.labels?.['app'] !== STEADY);
    if (pods.length === 0) return;
    const name = dice.pick(pods).metadata.name ?? '';
    world.note(`delete pod ${name}`);
    const client = await world.client();
    await client.delete({ gvr: PODS, namespace: NAMESPACE, name }, { signal: AbortSignal.timeout(5_000) });
  } catch (error) {
    world.note(`  no pod deleted: ${error instanceof Error ? error.message : String(error)}`);
  }
}

async function toggleCordon(world: World, dice: Dice): Promise<void> {
  const { name } = dice.pick(world.sites);
  const isCordoned = world.cordoned.has(name);
  world.note(`${isCordoned ? 'uncordon' : 'cordon'} ${name}`);
  const patch = { spec: { unschedulable: isCordoned ? null : true } };
  await world.write(
    name,
    (client, signal) => client.patch({ gvr: NODES, name }, patch, { type: 'merge', signal }),
    () => (isCordoned ? world.cordoned.delete(name) : world.cordoned.add(name)),
  );
}

function living(world: World): readonly (readonly [string, Wanted])[] {
  return [...world.deployments].filter((entry): entry is [string, Wanted] => entry[1] !== undefined);
}

function pickDeployment(world: World, dice: Dice): readonly [string, Wanted] | undefined {
  const choices = living(world).filter(([name]) => name !== STEADY && !world.unsure.has(name));
  return choices.length === 0 ? undefined : dice.pick(choices);
}
