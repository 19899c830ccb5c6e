/** `skerry rule test`: rules on their own cases or on recorded data, under a clock that follows the rows. */
import { readFileSync } from 'node:fs';
import type { KubeObject } from '@skerry/api';
import { messageOf } from '@skerry/base';
import type { Rule, Stream, Table } from '@skerry/streams';
import {
  merged,
  openFunctions,
  type PreparedRule,
  plain,
  prepareRule,
  type Recording,
  type Replay,
  RuleProblem,
  recordedTable,
  replay,
  runTrial,
  surroundingsOf,
  type TestTable,
  tableRowsOf,
} from '@skerry/streams/cli';
import { type CliContext, cliErrors } from '../context.ts';
import { objectsIn, readManifests } from '../manifest-files.ts';
import { formatJson } from '../output.ts';

export interface RuleTestFlags {
  readonly input?: readonly string[];
  readonly table?: readonly string[];
  readonly every: number;
  readonly node?: string;
  readonly output?: 'json';
}

interface Given {
  readonly rules: readonly Rule[];
  readonly streams: readonly Stream[];
  readonly tables: readonly Table[];
}

export async function testRules(context: CliContext, files: readonly string[], flags: RuleTestFlags): Promise<void> {
  const objects = readManifests(files).flatMap(objectsIn);
  const rules = ofKind<Rule>(objects, 'Rule');
  if (rules.length === 0) throw invalid(files.join(' '), 'holds no Rule');
  const given = { rules, streams: ofKind<Stream>(objects, 'Stream'), tables: ofKind<Table>(objects, 'Table') };
  if (flags.input === undefined) await runCases(context, given, flags);
  else await replayAll(context, given, flags, flags.input);
}

function ofKind<T extends KubeObject>(objects: readonly KubeObject[], kind: string): readonly T[] {
  return objects.filter((object) => object.kind === kind && object.apiVersion.startsWith('streams.skerry.io/')) as T[];
}

/** By the same code as in the cloud, without its limits. */
async function runCases(context: CliContext, given: Given, { output, node }: RuleTestFlags): Promise<void> {
  const outcomes: { rule: string; test: string; passed: boolean; failure?: string }[] = [];
  for (const rule of given.rules) {
    const trial = { ...given, rule, ...(node === undefined ? {} : { node }) };
    const outcome = await runTrial(trial, () => context.clock.monotonic());
    const name = rule.metadata.name ?? '';
    if ('problem' in outcome) throw invalid(name, `${outcome.problem.path}: ${outcome.problem.message}`);
    for (const { name: test, ...told } of outcome.status.cases ?? []) outcomes.push({ rule: name, test, ...told });
  }
  if (output === 'json') context.print(formatJson(outcomes));
  else
    for (const { rule, test, failure } of outcomes)
      context.print(
        `${failure === undefined ? 'passed' : 'FAILED'}   ${rule}: ${test}${failure === undefined ? '' : `: ${failure}`}\n`,
      );
  const failed = outcomes.filter(({ passed }) => !passed).length;
  if (outcomes.length === 0) context.say('skerry: the rules have no cases of their own; give --input FILE\n');
  if (failed > 0) throw cliErrors.RULE_FAILED({ failed, cases: outcomes.length });
}

async function replayAll(
  context: CliContext,
  given: Given,
  flags: RuleTestFlags,
  input: readonly string[],
): Promise<void> {
  const failed: string[] = [];
  for (const rule of given.rules) {
    const { errors } = await replayOne(context, rule, given, flags, input);
    if (errors.length > 0) failed.push(rule.metadata.name ?? '');
  }
  if (failed.length > 0) throw cliErrors.ROWS_FAILED({ rules: failed.join(', ') });
}

async function replayOne(
  context: CliContext,
  rule: Rule,
  { streams, tables }: Given,
  flags: RuleTestFlags,
  input: readonly string[],
): Promise<Replay> {
  const around = surroundingsOf(streams, tables);
  const at = flags.node === undefined ? {} : { node: flags.node };
  const opened = await openFunctions(rule.spec.functions ?? [], () => context.clock.monotonic());
  try {
    const prepared = prepareRule(rule, { around, functions: opened.functions, ...at });
    const tableRows = tableRowsOf(prepared, around, flags.node);
    const given = (flags.table ?? []).map((each) => tableFrom(each));
    const outcome = replay(prepared, merged(recordingsFor(prepared, input, flags.every)), { tables: tableRows(given) });
    if (flags.output === 'json') context.print(formatJson(inJson(prepared, outcome)));
    else for (const row of outcome.results) context.print(`${JSON.stringify(plain(row))}\n`);
    context.say(summaryOf(prepared, outcome));
    return outcome;
  } catch (cause) {
    if (!(cause instanceof RuleProblem)) throw cause;
    throw cliErrors.INVALID_ARGUMENT({ argument: rule.metadata.name ?? 'rule', problem: messageOf(cause) }, { cause });
  } finally {
    opened.close();
  }
}

function tableFrom(text: string): TestTable {
  const [, name, file = ''] = /^([a-z0-9][-a-z0-9.]*)=(.+)$/.exec(text) ?? [];
  if (name === undefined) throw invalid(text, 'say TABLE=FILE');
  return { name, rows: recordedTable(read(file), isCsv(file)) };
}

const isCsv = (file: string) => /\.csv$/i.test(file);

function inJson({ name }: PreparedRule, { results, late, errors, dropped, counters }: Replay): object {
  return {
    rule: name,
    results: results.map(plain),
    late: late.map(plain),
    errors,
    dropped: Object.fromEntries(dropped),
    operators: counters,
  };
}

function summaryOf({ name }: PreparedRule, { results, late, errors, dropped }: Replay): string {
  const lost = [...dropped].map(([reason, rows]) => `, ${rows} dropped (${reason})`).join('');
  const [first] = errors;
  const failed = first === undefined ? '' : `, ${errors.length} failed, the first: ${first}`;
  return `skerry: ${name}: ${results.length} results, ${late.length} late${lost}${failed}\n`;
}

/** `STREAM=FILE`, or a file alone where the rule reads one stream. */
function recordingsFor({ streams }: PreparedRule, input: readonly string[], everyMs: number): readonly Recording[] {
  const names = [...streams.keys()];
  return input.map((each) => {
    const [, named, file = each] = /^([a-z0-9][-a-z0-9.]*)=(.+)$/.exec(each) ?? [];
    const stream = named ?? (names.length === 1 ? names[0] : undefined);
    if (stream === undefined) throw invalid(each, `the rule reads ${names.join(', ')}: say STREAM=FILE`);
    if (!streams.has(stream)) throw invalid(each, `the rule reads no stream ${stream}`);
    return {
      stream,
      spec: streams.get(stream) ?? { source: {} },
      text: read(file),
      isCsv: isCsv(file),
      everyMs,
    };
  });
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw cliErrors.INVALID_ARGUMENT({ argument: file, problem: 'cannot be read' }, { cause });
  }
}

function invalid(argument: string, problem: string): Error {
  return cliErrors.INVALID_ARGUMENT({ argument, problem });
}
