/** `skerry rule list|show|explain`: rules, and how they are at their nodes. */
import type { HttpClient } from '@skerry/kube/client';
import { RULES, type Rule, STREAMS, type Stream, TABLES, type Table } from '@skerry/streams';
import {
  describeStubs,
  explainRule,
  explainText,
  prepareRule,
  type RuleNodeStatus,
  type RuleSurroundings,
  surroundingsOf,
} from '@skerry/streams/cli';
import { type ConnectionFlags, connect } from '../connection.ts';
import { type CliContext, cliErrors } from '../context.ts';
import { formatFacts, formatJson, formatTable } from '../output.ts';

export interface RuleFlags extends ConnectionFlags {
  readonly namespace: string;
  readonly allNamespaces?: boolean;
  readonly node?: string;
  readonly output?: 'json';
}

export async function listRules(context: CliContext, flags: RuleFlags): Promise<void> {
  using client = await connect(context, flags);
  const place = flags.allNamespaces === true ? {} : { namespace: flags.namespace };
  const { items } = await client.list<Rule>(RULES, place);
  if (flags.output === 'json') context.print(formatJson(items));
  else if (items.length === 0) context.say('skerry: there is no rule\n');
  else context.print(ruleTable(items));
}

function ruleTable(items: readonly Rule[]): string {
  const rows = items.map(({ metadata, status }) => {
    const nodes = Object.values(status?.onNodes ?? {});
    const sum = (of: (node: RuleNodeStatus) => number | undefined) =>
      String(Math.round(nodes.reduce((total, node) => total + (of(node) ?? 0), 0) * 10) / 10);
    return [
      metadata.namespace ?? '',
      metadata.name ?? '',
      status?.state ?? 'Pending',
      String(nodes.length),
      sum((node) => node.rowsInPerSecond),
      sum((node) => node.rowsOutPerSecond),
      sum((node) => node.late),
      sum((node) => node.errors),
    ];
  });
  return formatTable(['NAMESPACE', 'NAME', 'STATE', 'NODES', 'IN/S', 'OUT/S', 'LATE', 'ERRORS'], rows);
}

export async function showRule(context: CliContext, name: string, flags: RuleFlags): Promise<void> {
  using client = await connect(context, flags);
  const rule = await client.get<Rule>({ gvr: RULES, namespace: flags.namespace, name });
  if (flags.output === 'json') {
    context.print(formatJson(rule));
    return;
  }
  const { spec, status } = rule;
  const facts: (readonly [string, string])[] = [
    ['Name', name],
    ['State', status?.state ?? 'Pending'],
    ['SQL', spec.sql.trim()],
    ['Streams', spec.streams?.join(', ') ?? ''],
    ['Sinks', spec.sinks?.map((sink) => sink.name).join(', ') ?? ''],
  ];
  context.print(formatFacts(facts));
  for (const [node, at] of Object.entries(status?.onNodes ?? {})) context.print(`\n${nodeFacts(node, at)}`);
}

function nodeFacts(node: string, status: RuleNodeStatus): string {
  const dropped = Object.entries(status.dropped ?? {}).map(([reason, rows]) => `${reason} ${rows}`);
  const facts: (readonly [string, string])[] = [
    ['Node', node],
    ['State', status.state ?? ''],
    ['Rows in', `${status.rowsIn ?? 0}   ${status.rowsInPerSecond ?? 0}/s`],
    ['Rows out', `${status.rowsOut ?? 0}   ${status.rowsOutPerSecond ?? 0}/s`],
    ['Late', String(status.late ?? 0)],
    ['Dropped', dropped.join(', ') || '0'],
    ['Errors', String(status.errors ?? 0)],
    ['Checkpoint', `${status.stateBytes ?? 0} bytes   ${status.lastCheckpointTime ?? ''}`],
  ];
  const sinks = Object.entries(status.sinks ?? {}).map(
    ([name, { rows = 0, waiting = 0, failures = 0, lastError = '' }]) =>
      [`Sink ${name}`, `${rows} rows, ${waiting} waiting, ${failures} failures   ${lastError}`.trimEnd()] as const,
  );
  const trouble = status.lastError ? [['Last error', status.lastError] as const] : [];
  return formatFacts([...facts, ...sinks, ...trouble]);
}

export async function explainRules(context: CliContext, name: string, flags: RuleFlags): Promise<void> {
  using client = await connect(context, flags);
  const rule = await client.get<Rule>({ gvr: RULES, namespace: flags.namespace, name });
  const around = await surroundings(client, flags.namespace);
  const nodes = rule.status?.onNodes ?? {};
  const node = flags.node ?? Object.keys(nodes).sort()[0];
  if (flags.node !== undefined && nodes[flags.node] === undefined)
    throw cliErrors.INVALID_ARGUMENT({ argument: '--node', problem: `${name} is not at ${flags.node}` });
  const functions = describeStubs(rule.spec.functions ?? []);
  const at = node === undefined ? {} : { node };
  const { plan, spec } = prepareRule(rule, { around, functions, allowsUnknown: true, ...at });
  const lines = explainRule(plan, spec, node === undefined ? undefined : nodes[node]);
  context.print(flags.output === 'json' ? formatJson(lines) : explainText(lines));
}

async function surroundings(client: HttpClient, namespace: string): Promise<RuleSurroundings> {
  const [streams, tables] = await Promise.all([
    client.list<Stream>(STREAMS, { namespace }),
    client.list<Table>(TABLES, { namespace }),
  ]);
  return surroundingsOf(streams.items, tables.items);
}
