/** Runs the requirements of a group against a server: ours, unless another one is named. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { PROCESS, skipWithout } from '@skerry/testkit/processes';
import { Api } from './api.ts';
import { CATALOGUE } from './catalogue.ts';
import type { Group } from './coverage.ts';
import { Lab, type Target } from './lab.ts';
import { startAged, startWithNodes } from './ours.ts';
import type { Requirement } from './requirement.ts';

export interface SuitePlan {
  readonly group: Group;
  /** Of a server of ours. */
  readonly nodes: readonly string[];
  readonly concurrency: number;
}

/** Set by `npm run test:kubernetes`. */
const KUBECONFIG = process.env['SKERRY_CONFORMANCE_KUBECONFIG'];
const IMAGE = process.env['SKERRY_CONFORMANCE_IMAGE'] ?? 'busybox:1.36';

export function runSuite({ group, nodes, concurrency }: SuitePlan): void {
  const entries = CATALOGUE[group];
  const cases = entries.filter((entry) => 'run' in entry);
  const lacking = entries.filter((entry) => 'missing' in entry);
  const skip = KUBECONFIG === undefined && nodes.length > 0 ? skipWithout(...PROCESS.needs) : false;
  const resources = new AsyncDisposableStack();
  let target: Target;

  describe(`conformance, ${group.toLowerCase()}`, { concurrency, skip }, () => {
    before(async () => {
      target = KUBECONFIG === undefined ? await startOurs(resources, nodes) : await reach(resources, KUBECONFIG, IMAGE);
    });
    after(() => resources.disposeAsync());
    for (const each of cases) test(each.name, () => meets(each, target));
    for (const { name, waiting } of lacking)
      if (waiting !== undefined) test(`not yet: ${name}`, () => failsStill(waiting, target));
  });
  after(() => {
    console.log(`${group}: ${cases.length} requirements have a case, ${lacking.length} have none yet`);
    for (const { name, missing } of lacking) console.log(`  none yet: ${name} (${missing})`);
  });
}

async function meets({ run, states }: Requirement, target: Target): Promise<void> {
  await using lab = await Lab.open(target);
  try {
    await run(lab);
  } catch (cause) {
    throw new Error(`It is demanded that ${states}.\n${reasonOf(cause)}`, { cause });
  }
}

/** So that nobody builds what a case waits for and leaves it waiting. */
async function failsStill(waiting: Requirement, target: Target): Promise<void> {
  await assert.rejects(meets(waiting, target), Error, 'it is met now: take it out of notYet()');
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return [error.stack ?? error.message, ...(error.cause === undefined ? [] : [reasonOf(error.cause)])].join('\n');
}

async function reach(resources: AsyncDisposableStack, kubeconfig: string, image: string): Promise<Target> {
  return { api: resources.use(await Api.open(kubeconfig)), image };
}

async function startOurs(resources: AsyncDisposableStack, nodes: readonly string[]): Promise<Target> {
  const kubeconfig = nodes.length === 0 ? await startAged(resources) : await startWithNodes(resources, nodes);
  return reach(resources, kubeconfig, PROCESS.image);
}
