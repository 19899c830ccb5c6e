/** Server-side tables: what `kubectl get` prints, without kubectl knowing the kind. */
import type { JsonObject } from '../json.ts';
import type { KubeObject, ObjectMeta } from '../object.ts';
import type { ResourceRow } from '../resource.ts';
import { clusterPrinters } from './cluster.ts';
import { customPrinter } from './custom.ts';
import { networkPrinters } from './network.ts';
import { podPrinter } from './pod.ts';
import {
  AGE,
  type Cell,
  type Column,
  CREATED_AT,
  integer,
  NAME,
  number,
  type Printer,
  printer,
  text,
  wide,
} from './printer.ts';
import { rarePrinters } from './rare.ts';
import { workloadPrinters } from './workloads.ts';

/** How much of each object goes into its row. */
export type IncludeObject = 'None' | 'Metadata' | 'Object';

export interface TableOptions {
  /** Default: Metadata. */
  readonly includeObject?: IncludeObject;
  /** Milliseconds since the epoch, for ages. */
  readonly now: number;
  /** `metadata` of the list. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** Left out after the first event of a watch. Default: true. */
  readonly includeColumns?: boolean;
}

export interface RowCondition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
}

export interface TableRow {
  readonly cells: readonly Cell[];
  readonly conditions?: readonly RowCondition[];
  readonly object?: unknown;
}

/** meta.k8s.io/v1 Table. */
export interface Table {
  readonly kind: 'Table';
  readonly apiVersion: 'meta.k8s.io/v1';
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly columnDefinitions: readonly Column[];
  readonly rows: readonly TableRow[];
}

/** What a printer is chosen by. */
export type PrintedRow = Pick<ResourceRow, 'gvk' | 'printerColumns'>;

const scalePrinter: Printer = printer(
  NAME,
  integer('Desired', number('spec.replicas')),
  integer('Available', number('status.replicas')),
  AGE,
  wide('Selector', text('status.selector')),
);

const fallback: Printer = printer(NAME, CREATED_AT);
const customFallback: Printer = printer(NAME, AGE);

const printers: ReadonlyMap<string, Printer> = new Map(
  Object.entries({
    '/Pod': podPrinter,
    'autoscaling/Scale': scalePrinter,
    ...workloadPrinters,
    ...networkPrinters,
    ...clusterPrinters,
    ...rarePrinters,
  }),
);

export function columnsFor(row: PrintedRow): readonly Column[] {
  return printerFor(row).columns;
}

export function cellsFor(row: PrintedRow, object: KubeObject, now: number): Cell[] {
  return printerFor(row).cells(object, now);
}

export function toTable(row: PrintedRow, objects: readonly KubeObject[], options: TableOptions): Table {
  const { columns } = printerFor(row);
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: options.metadata ?? {},
    columnDefinitions: options.includeColumns === false ? [] : columns,
    rows: objects.map((object) => toTableRow(row, object, options)),
  };
}

function toTableRow(row: PrintedRow, object: KubeObject, { includeObject = 'Metadata', now }: TableOptions): TableRow {
  const conditions = conditionsOf(object);
  return {
    cells: printerFor(row).cells(object, now),
    ...(conditions === undefined ? {} : { conditions }),
    ...(includeObject === 'None' ? {} : { object: includeObject === 'Object' ? object : partialMetadata(object) }),
  };
}

function printerFor({ gvk, printerColumns }: PrintedRow): Printer {
  const known = printers.get(`${gvk.group}/${gvk.kind}`);
  if (known !== undefined) return known;
  if (printerColumns === undefined) return fallback;
  return printerColumns.length === 0 ? customFallback : customPrinter(printerColumns);
}

/** A pod that is done is marked, so that clients may show it less. */
function conditionsOf(object: KubeObject): RowCondition[] | undefined {
  if (object.kind !== 'Pod') return undefined;
  const phase = (object['status'] as JsonObject | undefined)?.['phase'];
  if (phase !== 'Succeeded' && phase !== 'Failed') return undefined;
  const message = phase === 'Succeeded' ? 'all containers ended well' : 'a container failed';
  return [{ type: 'Completed', status: 'True', reason: phase, message }];
}

/** meta.k8s.io/v1 PartialObjectMetadata. */
export interface PartialObjectMetadata {
  readonly kind: 'PartialObjectMetadata';
  readonly apiVersion: 'meta.k8s.io/v1';
  readonly metadata: ObjectMeta;
}

export function partialMetadata(object: KubeObject): PartialObjectMetadata {
  return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata };
}
