/** Services of a node: the packet rules of 1,000 Services in a network namespace of its own, and cluster names over UDP. */
import { fork, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { silentLogger } from '@skerry/base';
import {
  addressQuery,
  formatChange,
  formatRuleset,
  namesOf,
  openResolver,
  planRules,
  type Ruleset,
  type ServiceView,
} from '@skerry/workloads/edge/services/testing';
import { percentile, report, round } from './support/figures.ts';

const SERVICES = 1000;
const ENDPOINTS = 3;
const ROUNDS = 15;
const QUESTIONS = 60_000;
const AT_ONCE = 64;

if (process.send === undefined) await measure();
else await serveNames();

async function measure(): Promise<void> {
  const namespace = `skb${process.pid}`;
  spawnSync('ip', ['netns', 'add', namespace]);
  try {
    measureRules(namespace);
  } finally {
    spawnSync('ip', ['netns', 'delete', namespace]);
  }
  await measureNames();
}

function views(count: number, endpoints = ENDPOINTS): ServiceView[] {
  return Array.from({ length: count }, (_, index) => ({
    namespace: 'shop',
    name: `web-${index}`,
    clusterIp: `10.97.${index >> 8}.${index & 255}`,
    isHeadless: false,
    externalIps: [],
    isSticky: false,
    ports: [{ name: '', protocol: 'tcp' as const, port: 80, nodePort: 30_100 + index }],
    endpoints: Array.from({ length: endpoints }, (_, own) => ({
      ip: `10.200.${own}.${1 + (index % 250)}`,
      ports: { '': 8080 },
    })),
  }));
}

function rulesetOf(services: readonly ServiceView[]): Ruleset {
  const frame = { table: 'skerry-bench', address: '169.254.100.1', podIps: ['10.200.0.1'], seesBridged: true };
  return { frame, rules: planRules(services) };
}

function measureRules(namespace: string): void {
  const load = (text: string): number => {
    const start = performance.now();
    const { status, stderr } = spawnSync('ip', ['netns', 'exec', namespace, 'nft', '-f', '-'], {
      input: text,
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(stderr);
    return performance.now() - start;
  };
  const all = views(SERVICES);
  const whole = rulesetOf(all);
  const fewer = rulesetOf(
    all.map((view, index) => (index === 7 ? { ...view, endpoints: view.endpoints.slice(1) } : view)),
  );
  const planning = timed(() => formatRuleset(whole.frame, planRules(all)));
  const wholes = timed(() => load(formatRuleset(whole.frame, whole.rules)));
  const changes = timed((round) => load(round % 2 === 0 ? formatChange(whole, fewer) : formatChange(fewer, whole)));
  const small = rulesetOf(views(10));
  load(formatRuleset(small.frame, small.rules));
  const few = timed(() => load(formatRuleset(small.frame, small.rules)));
  report(
    {
      name: `plan of ${SERVICES} Services with ${ENDPOINTS} endpoints each, median`,
      value: round(median(planning)),
      unit: 'ms',
    },
    { name: `the whole table of ${SERVICES} Services anew, median`, value: round(median(wholes)), unit: 'ms' },
    { name: 'one endpoint less among them, median', value: round(median(changes)), unit: 'ms' },
    { name: 'the whole table of 10 Services anew, median', value: round(median(few)), unit: 'ms' },
  );
}

function timed(work: (round: number) => unknown): number[] {
  return Array.from({ length: ROUNDS }, (_, index) => {
    const start = performance.now();
    work(index);
    return performance.now() - start;
  }).sort((left, right) => left - right);
}

function median(sorted: readonly number[]): number {
  return percentile(sorted, 0.5);
}

/** In a process of its own, so that whoever asks does not slow down whoever answers. */
async function serveNames(): Promise<void> {
  const names = namesOf(views(SERVICES));
  const upstream = { ask: async () => undefined };
  const options = { host: '127.0.0.1', port: 0, names: () => names, upstream, random: Math.random, log: silentLogger };
  const resolver = await openResolver(options);
  process.send?.(resolver.port);
}

async function measureNames(): Promise<void> {
  const server = fork(fileURLToPath(import.meta.url), { execArgv: ['--conditions=source'] });
  const [port] = (await once(server, 'message')) as [number];
  const socket = createSocket('udp4');
  let asked = 0;
  let answered = 0;
  const ask = () => {
    const name = `web-${asked % SERVICES}.shop.svc.cluster.local`;
    socket.send(addressQuery(name, asked++ & 0xffff), port, '127.0.0.1');
  };
  const done = Promise.withResolvers<void>();
  socket.on('message', () => {
    answered++;
    if (asked < QUESTIONS) ask();
    else if (answered >= QUESTIONS) done.resolve();
  });
  const start = performance.now();
  for (let first = 0; first < AT_ONCE; first++) ask();
  await done.promise;
  const seconds = (performance.now() - start) / 1000;
  socket.close();
  server.kill();
  report({ name: `names answered over UDP, ${AT_ONCE} at once`, value: Math.round(QUESTIONS / seconds), unit: '/s' });
}
