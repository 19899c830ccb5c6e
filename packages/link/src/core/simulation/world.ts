/** One edge, one cloud and the network between them, moved forward by hand. */
import { SimulatedCloud } from './cloud.ts';
import { SimulatedEdge } from './edge.ts';
import { Network } from './network.ts';

export interface World {
  readonly network: Network;
  readonly edge: SimulatedEdge;
  readonly cloud: SimulatedCloud;
  readonly advance: (ms: number) => void;
}

/** More turns than this at one instant is a loop that never rests. */
const MAX_TURNS = 10_000;

export function createWorld({ seed, paths = 1 }: { readonly seed: number; readonly paths?: number }): World {
  const random = seededRandom(seed);
  const network = new Network(random);
  const edge = new SimulatedEdge(network, random, paths);
  const cloud = new SimulatedCloud(network, random);
  const settle = () => {
    for (let turn = 0; ; turn++) {
      if (turn > MAX_TURNS) throw new Error(`no rest at ${network.now} ms`);
      const delivered = network.deliver();
      edge.tick();
      cloud.tick();
      if (!delivered && next() > network.now) return;
    }
  };
  const next = () => Math.min(network.deadline(), edge.deadline(), cloud.deadline());
  const advance = (ms: number) => {
    const target = network.now + ms;
    for (settle(); next() <= target; settle()) network.now = Math.max(network.now, Math.ceil(next()));
    network.now = target;
  };
  edge.start();
  return { network, edge, cloud, advance };
}

/** Mulberry32: small, and the same on every machine. */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
