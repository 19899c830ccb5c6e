/** A Rule as it can run: its parameters filled in, its SQL planned against the streams it names. The same in the cloud and at the node. */
import { parseDuration } from '@skerry/api/durations';
import type { Rule, RuleSpec } from '../../kinds/rule.ts';
import type { StreamSpec } from '../../kinds/stream.ts';
import { type ContextOptions, type Plan, parse, plan, SqlError, type UserFunction, zoneOf } from '../../sql/index.ts';
import type { Limits } from '../runtime.ts';
import type { SourceTiming } from '../timeline.ts';
import { catalogOf, type RuleSurroundings } from './catalog.ts';
import { filled, MissingParameter } from './parameters.ts';

/** What is wrong with a rule: the field, and a sentence. */
export class RuleProblem extends Error {
  override readonly name = 'RuleProblem';
  readonly path: string;

  constructor(path: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.path = path;
  }
}

export interface PrepareOptions {
  readonly around: RuleSurroundings;
  readonly functions?: readonly UserFunction[];
  /** Whose parameters count. */
  readonly node?: string;
  readonly allowsUnknown?: boolean;
}

export interface PreparedRule {
  readonly name: string;
  readonly spec: RuleSpec;
  readonly plan: Plan;
  /** What the SQL names, with parameters filled in; undefined for a stream that is not there. */
  readonly streams: ReadonlyMap<string, StreamSpec | undefined>;
  readonly tables: readonly string[];
}

/** Throws a RuleProblem. */
export function prepareRule(rule: Rule, options: PrepareOptions): PreparedRule {
  const { around, functions = [], node, allowsUnknown = false } = options;
  try {
    const spec = filled(rule.spec, node);
    checkTimeZone(spec);
    const isTable = (name: string) =>
      spec.tests?.some(({ tables }) => tables?.some((table) => table.name === name)) === true;
    const planned = plan(parse(spec.sql), catalogOf({ around, functions, allowsUnknown, isTable }));
    const { streams, tables } = namesIn(planned);
    const specs = [...streams].map((name) => [name, specOf(around, name, node)] as const);
    return { name: rule.metadata.name ?? '', spec, plan: planned, streams: new Map(specs), tables: [...tables] };
  } catch (error) {
    if (error instanceof SqlError)
      throw new RuleProblem('spec.sql', `${error.message}\n${error.excerpt}`, { cause: error });
    if (error instanceof MissingParameter) throw new RuleProblem('spec.parameters', error.message, { cause: error });
    throw error;
  }
}

function checkTimeZone({ options: { timeZone = 'UTC' } = {} }: RuleSpec): void {
  try {
    zoneOf(timeZone);
  } catch (cause) {
    throw new RuleProblem('spec.options.timeZone', `${timeZone} is no time zone: write one such as Europe/Berlin`, {
      cause,
    });
  }
}

/** What expressions of the rule know of it. */
export function contextOf({ name, spec: { options } }: PreparedRule): Pick<ContextOptions, 'ruleId' | 'timeZone'> {
  return { ruleId: name, ...(options?.timeZone === undefined ? {} : { timeZone: options.timeZone }) };
}

function specOf(around: RuleSurroundings, name: string, node: string | undefined): StreamSpec | undefined {
  const stream = around.stream(name);
  return stream === undefined ? undefined : filled(stream.spec, node);
}

function namesIn(planned: Plan): { readonly streams: Set<string>; readonly tables: Set<string> } {
  const streams = new Set<string>();
  const tables = new Set<string>();
  const visit = ({ sources }: Plan) => {
    for (const { relation, query } of sources) {
      if (query !== undefined) visit(query);
      else if (relation.kind === 'table') tables.add(relation.name);
      else streams.add(relation.name);
    }
  };
  visit(planned);
  return { streams, tables };
}

const DEFAULT_KEYS = 100_000;
const DEFAULT_WINDOW_ROWS = 1_000_000;

export function limitsOf({ options = {} }: RuleSpec): Limits {
  return { keys: options.maxKeys ?? DEFAULT_KEYS, windowRows: options.maxWindowRows ?? DEFAULT_WINDOW_ROWS };
}

/** Whether the times of a stream’s rows are those at which they came: then the clock says how far it is. */
export function isTimedByArrival(rule: RuleSpec, stream: StreamSpec | undefined): boolean {
  if (rule.options?.time === 'Processing' || stream === undefined) return true;
  const { devices, rule: other } = stream.source;
  // What was too late for one rule is in no order of its times.
  if (other !== undefined) return other.output === 'Late';
  return stream.timestamp === undefined && devices === undefined;
}

export function timingOf(rule: RuleSpec, stream: StreamSpec | undefined): SourceTiming {
  if (isTimedByArrival(rule, stream) || stream?.source.rule !== undefined)
    return { outOfOrderMs: 0, drivenBy: 'given' };
  return { outOfOrderMs: millisecondsOf(stream?.watermark?.outOfOrder, 0), drivenBy: 'rows' };
}

/** The schema has made sure that it is a duration. */
export function millisecondsOf(duration: string | undefined, fallback: number): number {
  return duration === undefined ? fallback : (parseDuration(duration) ?? fallback);
}
