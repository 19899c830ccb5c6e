/** `skerry series list|last|query`: time series through the API, those of the cloud and those of nodes. */

import { messageOf } from '@skerry/base';
import { isSelector, seriesName, severityOf } from '@skerry/streams/cli';
import {
  type AnsweredSeries,
  SERIES,
  SERIES_QUERIES,
  type Series,
  type SeriesQuery,
  type SeriesQuerySpec,
} from '@skerry/streams/telemetry';
import { type ConnectionFlags, connect } from '../connection.ts';
import { type CliContext, cliErrors } from '../context.ts';
import { formatAge, formatCsv, formatJson, formatTable } from '../output.ts';
import { type TimeFlags, timesOf } from '../time-flags.ts';

export interface SeriesFlags extends ConnectionFlags {
  readonly namespace: string;
  readonly allNamespaces?: boolean;
  readonly node?: string;
  readonly output?: 'json' | 'csv';
}

export interface QueryFlags extends SeriesFlags, TimeFlags {
  readonly step?: string;
  readonly aggregate?: SeriesQuerySpec['aggregate'];
}

type Cells = readonly (readonly string[])[];

export async function listSeries(context: CliContext, selector: string | undefined, flags: SeriesFlags): Promise<void> {
  const found = await lastOf(context, selector, flags);
  const rows = found.map(({ labels, type = '' }) => [labels['namespace'] ?? '', seriesName(labels), type]);
  print(context, flags, found, { header: ['NAMESPACE', 'SERIES', 'TYPE'], rows });
}

export async function lastValues(context: CliContext, selector: string | undefined, flags: SeriesFlags): Promise<void> {
  const found = await lastOf(context, selector, flags);
  const now = context.clock.now();
  const rows = found.map(({ labels, times, values, qualities }) => [
    labels['namespace'] ?? '',
    seriesName(labels),
    textOf(values[0]),
    severityOf(qualities?.[0] ?? 0),
    flags.output === 'csv' ? isoOf(times[0]) : formatAge(times[0] ?? 0, now),
  ]);
  const header = ['NAMESPACE', 'SERIES', 'VALUE', 'QUALITY', flags.output === 'csv' ? 'TIME' : 'AGE'];
  print(context, flags, found, { header, rows });
}

export async function querySeries(context: CliContext, expression: string, flags: QueryFlags): Promise<void> {
  const { step, aggregate } = flags;
  const found = await ask(context, flags, {
    ...(isPlain(expression) ? { selector: expression } : { promql: expression }),
    ...timesOf(flags, context.clock.now()),
    ...(step === undefined ? {} : { step }),
    ...(aggregate === undefined ? {} : { aggregate }),
  });
  const rows = found.flatMap(({ labels, times, values, qualities }) =>
    times.map((time, at) => [
      isoOf(time),
      seriesName(labels),
      textOf(values[at]),
      qualities === undefined ? '' : severityOf(qualities[at] ?? 0),
    ]),
  );
  print(context, flags, found, { header: ['TIME', 'SERIES', 'VALUE', 'QUALITY'], rows });
}

function isPlain(expression: string): boolean {
  try {
    return isSelector(expression);
  } catch (cause) {
    throw cliErrors.INVALID_ARGUMENT({ argument: expression, problem: messageOf(cause) }, { cause });
  }
}

async function lastOf(
  context: CliContext,
  selector: string | undefined,
  flags: SeriesFlags,
): Promise<readonly AnsweredSeries[]> {
  if (flags.allNamespaces === true) {
    if (selector !== undefined || flags.node !== undefined)
      throw cliErrors.INVALID_ARGUMENT({ argument: '-A', problem: 'goes with no selector and no --node' });
    using client = await connect(context, flags);
    return (await client.list<Series>(SERIES)).items.map(answeredOf);
  }
  return ask(context, flags, { last: true, ...(selector === undefined ? {} : { selector }) });
}

function answeredOf({ series, type, time, value, quality }: Series): AnsweredSeries {
  return { labels: series, type, times: [Date.parse(time)], values: [value], qualities: [quality] };
}

async function ask(
  context: CliContext,
  { namespace, node, ...flags }: SeriesFlags,
  spec: SeriesQuerySpec,
): Promise<readonly AnsweredSeries[]> {
  using client = await connect(context, flags);
  const query: SeriesQuery = {
    apiVersion: `${SERIES_QUERIES.group}/${SERIES_QUERIES.version}`,
    kind: 'SeriesQuery',
    metadata: { namespace },
    spec: { ...spec, ...(node === undefined ? {} : { node }) },
  };
  const { status } = await client.create(SERIES_QUERIES, query);
  return status?.series ?? [];
}

interface Table {
  readonly header: readonly string[];
  readonly rows: Cells;
}

function print(
  context: CliContext,
  { output }: SeriesFlags,
  found: readonly AnsweredSeries[],
  { header, rows }: Table,
): void {
  if (output === 'json') context.print(formatJson(found));
  else if (output === 'csv') context.print(formatCsv(header, rows));
  else if (rows.length === 0) context.say('skerry: there is no such series here\n');
  else context.print(formatTable(header, rows));
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function isoOf(time: number | undefined): string {
  return new Date(time ?? 0).toISOString();
}
