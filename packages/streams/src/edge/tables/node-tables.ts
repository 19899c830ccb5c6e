/** The tables of this node: one of each, whatever number of rules look things up in it. */
import type { Clock, Logger } from '@skerry/base';
import type { Client } from '@skerry/kube/client';
import { type Informer, keyOf } from '@skerry/kube/controller';
import type { LookupTable } from '../../engine/lookup.ts';
import { filled } from '../../engine/rule/parameters.ts';
import { TABLES } from '../../kinds/group.ts';
import type { Table, TableNodeStatus, TableSpec } from '../../kinds/table.ts';
import { readSecret } from '../secrets.ts';
import type { StatusTeller } from '../status-teller.ts';
import { type OpenTable, openTable } from './open-table.ts';

export interface NodeTablesOptions {
  readonly node: string;
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  readonly folder: string;
  readonly tables: Informer<Table>;
  readonly teller: StatusTeller;
}

interface Opened {
  readonly madeOf: string;
  readonly table: OpenTable;
}

export class NodeTables {
  readonly #options: NodeTablesOptions;
  readonly #open = new Map<string, Opened>();

  constructor(options: NodeTablesOptions) {
    this.#options = options;
  }

  /** Rejects when a table is not there, or cannot be opened. */
  async open(namespace: string, names: readonly string[]): Promise<ReadonlyMap<string, LookupTable>> {
    const opened = names.map(async (name) => [name, await this.#openOne(namespace, name)] as const);
    return new Map(await Promise.all(opened));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open.values()].map(({ table }) => table.close()));
    this.#open.clear();
  }

  async #openOne(namespace: string, name: string): Promise<LookupTable> {
    const { tables, client, node, teller } = this.#options;
    const object = tables.cache.get(`${namespace}/${name}`);
    if (object === undefined) throw new Error(`there is no table ${name}`);
    const key = keyOf(object);
    const madeOf = JSON.stringify(object.spec);
    const known = this.#open.get(key);
    if (known?.madeOf === madeOf) return known.table;
    const spec = filled(object.spec, node);
    const secret = await readSecret(client, namespace, secretNameOf(spec));
    const table = openTable(spec, { ...this.#options, secret });
    this.#open.set(key, { madeOf, table });
    await known?.table.close();
    if (object.status?.nodes?.includes(node) === true)
      teller.set(`tables ${key}`, { gvr: TABLES, object, view: () => statusOf(table) });
    return table;
  }
}

function secretNameOf({ source: { postgresql, http } }: TableSpec): string | undefined {
  return (postgresql ?? http)?.secretName;
}

function statusOf({ counts }: OpenTable): TableNodeStatus {
  return { state: 'Running', lastError: '', ...counts };
}
