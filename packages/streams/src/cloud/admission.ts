/**
 * What the cloud asks of writes to streams and rules, before anything is stored: SQL that is in order against the streams that it
 * names, and results as the rule’s own test cases want them. Pure.
 */
import type { FieldError, KubeObject } from '@skerry/api';
import { messageOf } from '@skerry/base';
import { planOf } from '../edge/retention/retention-plan.ts';
import { type RuleSurroundings, surroundingsOf } from '../engine/rule/catalog.ts';
import { describeStubs } from '../engine/rule/function-stubs.ts';
import { filled, MissingParameter } from '../engine/rule/parameters.ts';
import { type PreparedRule, prepareRule, RuleProblem } from '../engine/rule/prepare.ts';
import type { Outlet } from '../kinds/outlet.ts';
import type { Retention } from '../kinds/retention.ts';
import type { Route } from '../kinds/route.ts';
import type { Rule, RuleSpec } from '../kinds/rule.ts';
import type { Parameterised } from '../kinds/shared.ts';
import type { Stream } from '../kinds/stream.ts';
import type { Table } from '../kinds/table.ts';
import { ExportProblem, exportPlanOf } from '../query/export/export-plan.ts';
import type { Trial } from '../trial/trial.ts';
import type { Verdict } from './rehearsal.ts';

export interface StreamsWrite {
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE';
  readonly kind: string;
  /** As it would be; for DELETE what goes. Its structure is in order. A rule is told which streams and tables it names. */
  readonly object: KubeObject;
  readonly old?: KubeObject;
}

/** Of the namespace of the object. */
export interface StreamsLookups {
  readonly streams: () => readonly Stream[];
  readonly tables: () => readonly Table[];
  readonly rules: () => readonly Rule[];
  /** What a trial of a rule has come to; throws when it is still to be waited for. */
  readonly verdict: (trial: Trial) => Verdict;
  /** Of what is taken all the same. */
  readonly warn: (message: string) => void;
}

/** So many rules are named in one refusal. */
const MAX_NAMED = 10;

/** Nothing: it may be done. A rule may come before its streams and tables, as it may from any `kubectl apply` of a folder. */
export function checkStreamsWrite(write: StreamsWrite, lookups: StreamsLookups): readonly FieldError[] {
  if (write.operation === 'DELETE' || isSameSpec(write.object, write.old)) return [];
  switch (write.kind) {
    case 'Rule':
      return checkRule(write.object as Rule, lookups);
    case 'Stream':
      return [...checkOneOf((write.object as Stream).spec.source, SOURCES), ...checkReaders(write, lookups)];
    case 'Table':
      return [...checkOneOf((write.object as Table).spec.source, TABLE_SOURCES), ...checkReaders(write, lookups)];
    case 'Retention':
      return [...checkParameters((write.object as Retention).spec), ...checkRetention(write.object as Retention)];
    case 'Outlet':
      return [...checkParameters((write.object as Outlet).spec), ...checkOutlet(write.object as Outlet)];
    case 'Route':
      return checkParameters((write.object as Route).spec);
    default:
      return [];
  }
}

/** What has parameters has a value for each of them, in the cloud or at the nodes that have values of their own. */
function checkParameters(spec: Parameterised): readonly FieldError[] {
  const nodes = spec.nodeParameters?.map(({ node }) => node) ?? [];
  try {
    for (const node of nodes.length > 0 ? nodes : [undefined]) filled(spec, node);
    return [];
  } catch (error) {
    if (error instanceof MissingParameter) return [invalid('spec.parameters', error.message)];
    throw error;
  }
}

/** Files stand in a folder of their own, at the cloud and at each node; what no export can keep to is said before one tries. */
function checkOutlet(outlet: Outlet): readonly FieldError[] {
  return [...checkDirectory(outlet), ...checkExport(outlet)];
}

function checkExport(outlet: Outlet): readonly FieldError[] {
  try {
    exportPlanOf(outlet);
    return [];
  } catch (error) {
    if (!(error instanceof ExportProblem)) throw error;
    return [invalid('spec.export', error.message)];
  }
}

function checkDirectory({ spec: { type, endpoint } }: Outlet): readonly FieldError[] {
  const isInside = !endpoint.startsWith('/') && !endpoint.includes(':') && !endpoint.split('/').includes('..');
  if (type !== 'Parquet' || isInside) return [];
  return [invalid('spec.endpoint', 'must be a directory within the folder of files, such as "training/press"')];
}

function checkRule(rule: Rule, lookups: StreamsLookups): readonly FieldError[] {
  try {
    const around = surroundings(lookups);
    const { prepared, node } = prepareAll(rule, around);
    const named: { -readonly [Field in 'streams' | 'tables']?: RuleSpec[Field] } = rule.spec;
    const missing = missingOf(prepared, around);
    // So that they are brought to the nodes of the rule; what is not there yet, whichever of the two it will be.
    named.streams = [...new Set([...prepared.streams.keys(), ...missing])];
    named.tables = [...new Set([...prepared.tables, ...missing])];
    const wrong = checkSinks(rule);
    if (wrong.length > 0) return wrong;
    for (const name of missing) lookups.warn(`there is no stream or table ${name} yet: the rule waits for it`);
    return checkTests({ rule, prepared, around, node }, lookups);
  } catch (error) {
    if (error instanceof RuleProblem) return [invalid(error.path, error.message)];
    throw error;
  }
}

function missingOf({ streams, tables }: PreparedRule, around: RuleSurroundings): readonly string[] {
  return [...streams.keys(), ...tables].filter(
    (name) => around.stream(name) === undefined && around.table(name) === undefined,
  );
}

interface Prepared {
  readonly prepared: PreparedRule;
  /** Whose parameters it has; undefined: its own. */
  readonly node: string | undefined;
}

/** As it is everywhere, and with the parameters of each node that has its own. */
function prepareAll(rule: Rule, around: RuleSurroundings): Prepared {
  const functions = describeStubs(rule.spec.functions ?? []);
  const options = { around, functions, allowsUnknown: true };
  for (const { node } of rule.spec.nodeParameters ?? []) prepareRule(rule, { ...options, node });
  // What only nodes give values to has none here.
  const [first] = rule.spec.nodeParameters ?? [];
  try {
    return { prepared: prepareRule(rule, options), node: undefined };
  } catch (error) {
    if (first === undefined || !(error instanceof RuleProblem) || error.path !== 'spec.parameters') throw error;
    return { prepared: prepareRule(rule, { ...options, node: first.node }), node: first.node };
  }
}

const SINKS = ['log', 'bus', 'mqtt', 'http', 'file', 'device', 'store'] as const;

function checkSinks({ spec: { sinks = [] } }: Rule): readonly FieldError[] {
  return sinks.flatMap((sink, at) => {
    const places = SINKS.filter((place) => sink[place] !== undefined);
    return places.length === 1 ? [] : [invalid(`spec.sinks[${at}]`, `must say one of ${SINKS.join(', ')}`)];
  });
}

interface Tested extends Prepared {
  readonly rule: Rule;
  readonly around: RuleSurroundings;
}

/** By the trial of no more than what the rule names, so that the same rule is not tried again when something else changes. */
function checkTests(
  { rule, prepared, around, node }: Tested,
  { verdict, warn }: StreamsLookups,
): readonly FieldError[] {
  const { tests = [] } = rule.spec;
  if (tests.length === 0) return [];
  const isHeld = (name: string) => tests.every(({ tables }) => tables?.some((table) => table.name === name));
  const unknown = prepared.tables.filter((name) => around.table(name) === undefined && !isHeld(name));
  if (unknown.length > 0) {
    warn(`the cases of the rule were not tried: there is no table ${unknown.join(', ')} yet`);
    return [];
  }
  const present = <T>(objects: readonly (T | undefined)[]) => objects.filter((each) => each !== undefined);
  const outcome = verdict({
    rule: withoutStatus(rule),
    streams: present([...prepared.streams.keys()].map((name) => around.stream(name))).map(withoutStatus),
    tables: present(prepared.tables.map((name) => around.table(name))).map(withoutStatus),
    allowsUnknown: true,
    ...(node === undefined ? {} : { node }),
  });
  if ('limit' in outcome) return [invalid('spec.tests', `the cases cannot be tried: ${outcome.limit}`)];
  if ('problem' in outcome) return [invalid(outcome.problem.path, outcome.problem.message)];
  return (outcome.status.cases ?? []).flatMap(({ name, failure }, at) =>
    failure === undefined ? [] : [invalid(`spec.tests[${at}]`, `test "${name}" fails: ${failure}`)],
  );
}

function withoutStatus<T extends Rule | Stream | Table>({ apiVersion, kind, metadata, spec }: T): T {
  return { apiVersion, kind, metadata: { name: metadata.name }, spec } as T;
}

const SOURCES = ['devices', 'mqtt', 'http', 'httpPush', 'file', 'simulator', 'rule'] as const;
const TABLE_SOURCES = ['rows', 'file', 'sqlite', 'postgresql', 'http'] as const;

function checkOneOf(source: object, names: readonly string[]): readonly FieldError[] {
  const given = names.filter((name) => (source as Readonly<Record<string, unknown>>)[name] !== undefined);
  return given.length === 1 ? [] : [invalid('spec.source', `must have one of ${names.join(', ')}`)];
}

/** What no store can keep to is said before a node finds it out. */
function checkRetention({ spec }: Retention): readonly FieldError[] {
  try {
    planOf(spec);
    return [];
  } catch (error) {
    return [invalid('spec.tiers', messageOf(error))];
  }
}

/** Rules that were in order must be so after the change. */
function checkReaders({ object, kind }: StreamsWrite, lookups: StreamsLookups): readonly FieldError[] {
  const { name = '' } = object.metadata;
  const field = kind === 'Stream' ? 'streams' : 'tables';
  const readers = lookups.rules().filter(({ spec }) => spec[field]?.includes(name) === true);
  const before = surroundings(lookups);
  const after: RuleSurroundings = {
    ...before,
    ...(kind === 'Stream'
      ? { stream: (other) => (other === name ? (object as Stream) : before.stream(other)) }
      : { table: (other) => (other === name ? (object as Table) : before.table(other)) }),
  };
  const broken = readers.flatMap((rule) => {
    const why = problemOf(rule, after);
    if (why === undefined || problemOf(rule, before) !== undefined) return [];
    return [`${rule.metadata.name} (${why})`];
  });
  if (broken.length === 0) return [];
  const more = broken.length - MAX_NAMED;
  const named = `${broken.slice(0, MAX_NAMED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
  return [forbidden('spec', `the change would break rules that read it: ${named}`)];
}

function problemOf(rule: Rule, around: RuleSurroundings): string | undefined {
  try {
    prepareAll(rule, around);
    return undefined;
  } catch (error) {
    if (error instanceof RuleProblem) return error.message;
    throw error;
  }
}

function surroundings({ streams, tables }: Pick<StreamsLookups, 'streams' | 'tables'>): RuleSurroundings {
  return surroundingsOf(streams(), tables());
}

function isSameSpec(object: KubeObject, old: KubeObject | undefined): boolean {
  return old !== undefined && JSON.stringify(object['spec']) === JSON.stringify(old['spec']);
}

function invalid(path: string, why: string): FieldError {
  return { reason: 'FieldValueInvalid', path, message: `${path}: Invalid value: ${why}` };
}

function forbidden(path: string, why: string): FieldError {
  return { reason: 'FieldValueForbidden', path, message: `${path}: Forbidden: ${why}` };
}
