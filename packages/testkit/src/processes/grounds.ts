/** The runtimes that stories are told with, and what each takes beside a node: one table, so that no story leaves one out. */
import { CONTAINERD, imageOn, PROCESS, type Runtime } from './manifests.ts';
import { type SystemNeed, skipWithout } from './require-system.ts';
import { TestContainerd } from './test-containerd.ts';
import type { TestEdgeOptions } from './test-edge.ts';
import { TestRegistry } from './test-registry.ts';

/** While it is open, a node that was given `edge` runs pods of `runtime`. For one node, where there is a containerd. */
export interface Ground extends AsyncDisposable {
  readonly runtime: Runtime;
  readonly edge: Pick<TestEdgeOptions, 'containerdSocket'>;
  readonly containerd?: TestContainerd;
  /** Where its images come from, unless they are there from the start. */
  readonly registry?: TestRegistry;
}

export interface GroundOptions {
  /** Before the command of a daemon that belongs to the node. */
  readonly wrapper?: readonly string[];
}

export interface GroundKind {
  /** That of its runtime. */
  readonly name: string;
  /** Without these nothing can be tried. */
  readonly needs: readonly SystemNeed[];
  readonly open: (options?: GroundOptions) => Promise<Ground>;
}

/** Programs of the node, containers, and images without containers. */
export const GROUNDS: readonly GroundKind[] = [
  { name: 'process', needs: PROCESS.needs, open: openProcess },
  { name: 'containerd', needs: CONTAINERD.needs, open: openContainerd },
  { name: 'image', needs: ['bubblewrap', 'busybox-static'], open: openImages },
];

export function openGround(name: string): Promise<Ground> {
  const kind = GROUNDS.find((each) => each.name === name);
  if (kind === undefined)
    throw new Error(`no runtime ${name}; there are ${GROUNDS.map((each) => each.name).join(', ')}`);
  return kind.open();
}

/** For one node with pods of every runtime that this machine can try. */
export async function openGrounds(): Promise<readonly Ground[]> {
  const kinds = GROUNDS.filter(({ needs }) => skipWithout(...needs) === false);
  return await Promise.all(kinds.map(({ open }) => open()));
}

/** What that node is given. */
export function edgeOf(grounds: readonly Ground[]): Ground['edge'] {
  return grounds.find(({ containerd }) => containerd !== undefined)?.edge ?? {};
}

async function openProcess(): Promise<Ground> {
  return { runtime: PROCESS, edge: {}, [Symbol.asyncDispose]: async () => {} };
}

async function openContainerd({ wrapper = [] }: GroundOptions = {}): Promise<Ground> {
  const containerd = await TestContainerd.start(wrapper);
  return {
    runtime: CONTAINERD,
    edge: { containerdSocket: containerd.socket },
    containerd,
    [Symbol.asyncDispose]: () => containerd[Symbol.asyncDispose](),
  };
}

async function openImages(): Promise<Ground> {
  const registry = await TestRegistry.start();
  return {
    runtime: imageOn(registry),
    edge: {},
    registry,
    [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose](),
  };
}
