/** For tests, a process of its own: the rules that it is told, in the folder that it is told, until it is killed. */
import { join } from 'node:path';
import type { KubeObject } from '@skerry/api';
import { silentLogger, systemClock } from '@skerry/base';
import type { Client } from '@skerry/kube/client';
import type { Informer } from '@skerry/kube/controller';
import { createBus, LastValues, SeriesTable } from '../../contract/index.ts';
import type { Rule, RuleSpec } from '../../kinds/rule.ts';
import type { Stream, StreamSpec } from '../../kinds/stream.ts';
import type { Table } from '../../kinds/table.ts';
import { openCheckpoints } from '../checkpoints.ts';
import { openMessageLog } from '../message-log.ts';
import { ruleController } from '../rule-controller.ts';
import { RuleOutputs } from '../rule-outputs.ts';
import { StatusTeller } from '../status-teller.ts';
import { StreamHub } from '../stream-hub.ts';
import { NodeTables } from '../tables/node-tables.ts';

const NODE = 'edge-1';

/** Specs by name. */
export interface RulesProcess {
  readonly streams: Readonly<Record<string, StreamSpec>>;
  readonly rules: Readonly<Record<string, RuleSpec>>;
}

const [, , folder = '.', told = '{}'] = process.argv;
const specs = JSON.parse(told) as RulesProcess;

function objectOf<T extends KubeObject>(kind: string, name: string, spec: object): T {
  const metadata = { name, namespace: 'default', uid: name };
  return { apiVersion: 'streams.skerry.io/v1alpha1', kind, metadata, spec, status: { nodes: [NODE] } } as unknown as T;
}

const streams = Object.entries(specs.streams).map(([name, spec]) => objectOf<Stream>('Stream', name, spec));
const rules = Object.entries(specs.rules).map(([name, spec]) => objectOf<Rule>('Rule', name, spec));

/** As an informer shows objects to who only looks them up. */
function informerOf<T extends KubeObject>(...objects: readonly T[]): Informer<T> {
  const cache = {
    get: (key: string) => objects.find(({ metadata }) => `default/${metadata.name}` === key),
    list: () => objects,
  };
  return { cache } as unknown as Informer<T>;
}

const client = { patch: async () => ({}) } as unknown as Client;
const common = { node: NODE, client, clock: systemClock, log: silentLogger, random: Math.random };
const values = {
  bus: createBus(),
  series: new SeriesTable(),
  last: new LastValues(),
  devices: () => [],
  onDevices: () => () => {},
  write: async () => ({}),
};
const teller = new StatusTeller(common);
const tables = informerOf<Table>();
const files = join(folder, 'files');
const controller = ruleController({
  ...common,
  folder: files,
  values,
  store: () => Promise.reject(new Error('there is no store')),
  rules: informerOf(...rules),
  streams: informerOf(...streams),
  tables,
  hub: new StreamHub({ ...common, folder: files, values, messages: openMessageLog(join(folder, 'messages.db')) }),
  outputs: new RuleOutputs(),
  nodeTables: new NodeTables({ ...common, folder: files, tables, teller }),
  checkpoints: openCheckpoints(join(folder, 'checkpoints.db')),
  teller,
  settle: () => {},
});
for (const { metadata } of rules)
  await controller.spec.reconcile(`default/${metadata.name}`, new AbortController().signal);
process.stdout.write('running\n');
process.once('message', () => void controller.close().then(() => process.exit(0)));
