/**
 * A rule on its own cases, or on rows that are given: what the cloud asks before it takes a rule, what a RuleTest answers, and
 * `skerry rule test`. Tables hold what the case says; functions in JavaScript run as they do at a node.
 */
import { indexed } from '../edge/tables/indexed.ts';
import { type RuleSurroundings, surroundingsOf } from '../engine/rule/catalog.ts';
import { explainRule, type OperatorLine } from '../engine/rule/explain-rule.ts';
import { FunctionProblem, openFunctions } from '../engine/rule/javascript.ts';
import { filled, MissingParameter } from '../engine/rule/parameters.ts';
import { millisecondsOf, type PreparedRule, prepareRule, RuleProblem } from '../engine/rule/prepare.ts';
import { rowReader } from '../engine/rule/read-row.ts';
import { failureOf, plain, type ReplayOptions, replay } from '../engine/rule/run-test.ts';
import type { Rule, TestRow, TestTable } from '../kinds/rule.ts';
import type { Stream } from '../kinds/stream.ts';
import type { Table } from '../kinds/table.ts';
import { RowError } from '../sql/index.ts';

export interface Trial {
  readonly rule: Rule;
  /** Of the rule's namespace: those that its SQL names, or more. */
  readonly streams: readonly Stream[];
  readonly tables: readonly Table[];
  /** Whose parameters count. */
  readonly node?: string;
  /** Streams that are not there may still come. */
  readonly allowsUnknown?: boolean;
  /** In the place of the rule's own cases. */
  readonly given?: { readonly rows: readonly TestRow[]; readonly tables?: readonly TestTable[] };
}

/** A `problem` is one of the rule itself, or of what was given. */
export type TrialOutcome =
  | { readonly status: TrialStatus }
  | { readonly problem: { readonly path: string; readonly message: string } };

export interface TrialStatus {
  readonly cases?: readonly TrialCase[];
  readonly results?: readonly unknown[];
  readonly late?: readonly unknown[];
  readonly errors?: readonly string[];
  readonly dropped?: Readonly<Record<string, number>>;
  readonly isCut?: boolean;
  /** The plan, with what each operator costs and has done. */
  readonly operators?: readonly OperatorLine[];
}

export interface TrialCase {
  readonly name: string;
  readonly passed: boolean;
  readonly failure?: string;
}

/** Rows of an answer, and how much JSON they may be together. */
const MAX_RESULTS = 1000;
const MAX_RESULT_BYTES = 4 * 1024 * 1024;

/** `monotonic` is what functions' time limits are measured by. */
export async function runTrial(trial: Trial, monotonic: () => number): Promise<TrialOutcome> {
  const { rule, streams, tables, node, allowsUnknown = false, given } = trial;
  const around = surroundingsOf(streams, tables);
  try {
    const opened = await openFunctions(rule.spec.functions ?? [], monotonic);
    try {
      const at = node === undefined ? {} : { node };
      const prepared = prepareRule(rule, { around, functions: opened.functions, allowsUnknown, ...at });
      const tableRows = tableRowsOf(prepared, around, node);
      return { status: given === undefined ? runCases(prepared, tableRows) : runRows(prepared, tableRows, given) };
    } finally {
      opened.close();
    }
  } catch (error) {
    if (error instanceof RuleProblem) return { problem: { path: error.path, message: error.message } };
    if (error instanceof FunctionProblem) return { problem: { path: 'spec.functions', message: error.message } };
    throw error;
  }
}

/** Makes the tables of a rule from rows that are given, and those that stand in the Tables. Throws a RuleProblem. */
export type TableRows = (given?: readonly TestTable[]) => NonNullable<ReplayOptions['tables']>;

export function tableRowsOf({ tables }: PreparedRule, around: RuleSurroundings, node?: string): TableRows {
  return (given = []) => new Map(tables.map((name) => [name, tableOf(name, given, around, node)]));
}

function tableOf(name: string, given: readonly TestTable[], around: RuleSurroundings, node: string | undefined) {
  const object = around.table(name);
  try {
    const spec = object === undefined ? undefined : filled(object.spec, node);
    const rows = given.find((each) => each.name === name)?.rows ?? spec?.source.rows;
    if (rows === undefined) throw new RuleProblem('spec.tests', `the rows of table ${name} must be given`);
    const read = rowReader(spec?.schema === undefined ? {} : { schema: spec.schema });
    return indexed(rows.map((row) => read(row).row));
  } catch (cause) {
    if (!(cause instanceof MissingParameter) && !(cause instanceof RowError)) throw cause;
    throw new RuleProblem('spec.tests', `table ${name}: ${cause.message}`, { cause });
  }
}

function runCases(rule: PreparedRule, tableRows: TableRows): TrialStatus {
  const { tests = [] } = rule.spec;
  return {
    cases: tests.map((test) => {
      const failure = caseFailure(() => failureOf(rule, test, { tables: tableRows(test.tables) }));
      return { name: test.name, passed: failure === undefined, ...(failure === undefined ? {} : { failure }) };
    }),
  };
}

/** A case that cannot be run has not passed, and the others are run. */
function caseFailure(run: () => string | undefined): string | undefined {
  try {
    return run();
  } catch (error) {
    if (error instanceof RuleProblem || error instanceof RowError) return error.message;
    throw error;
  }
}

function runRows(rule: PreparedRule, tableRows: TableRows, given: NonNullable<Trial['given']>): TrialStatus {
  let now = 0;
  const rows = given.rows.map(({ stream, at, row }) => {
    now = millisecondsOf(at, now);
    return { at: now, row, ...(stream === undefined ? {} : { stream }) };
  });
  const { results, late, errors, dropped, counters } = replay(rule, rows, { tables: tableRows(given.tables) });
  const [shown, shownLate] = [answerOf(results), answerOf(late)];
  return {
    results: shown,
    late: shownLate,
    errors,
    dropped: Object.fromEntries(dropped),
    isCut: shown.length < results.length || shownLate.length < late.length,
    operators: explainRule(rule.plan, rule.spec, {
      operators: counters.map((each) => ({ ...each, operator: each.kind })),
    }),
  };
}

function answerOf(rows: readonly unknown[]): readonly unknown[] {
  const shown: unknown[] = [];
  let bytes = 0;
  for (const row of rows.slice(0, MAX_RESULTS)) {
    const made = plain(row);
    bytes += Buffer.byteLength(JSON.stringify(made));
    if (bytes > MAX_RESULT_BYTES) break;
    shown.push(made);
  }
  return shown;
}
