/** `skerry rule test`: rules on their own cases or on recorded data, under a clock that follows the rows. */
import { readFileSync } from 'node:fs';
import type { KubeObject } from '@skerry/api';
import { messageOf } from '@skerry/base';
import type { Rule, Stream, Table } from '@skerry/streams';
import {
  failureOf,
  merged,
  openFunctions,
  type PreparedRule,
  plain,
  prepareRule,
  type Recording,
  type Replay,
  replay,
} from '@skerry/streams/cli';
import { type CliContext, cliErrors } from '../context.ts';
import { objectsIn, readManifests } from '../manifest-files.ts';
import { formatJson } from '../output.ts';
import { surroundingsOf } from './rule.ts';

export interface RuleTestFlags {
  readonly input?: readonly string[];
  readonly every: number;
  readonly node?: string;
  readonly output?: 'json';
}

export async function testRules(context: CliContext, files: readonly string[], flags: RuleTestFlags): Promise<void> {
  const objects = readManifests(files).flatMap(objectsIn);
  const rules = ofKind<Rule>(objects, 'Rule');
  if (rules.length === 0) throw invalid(files.join(' '), 'holds no Rule');
  const around = surroundingsOf(ofKind<Stream>(objects, 'Stream'), ofKind<Table>(objects, 'Table'));
  const { node } = flags;
  using stack = new DisposableStack();
  const prepared: PreparedRule[] = [];
  for (const rule of rules) {
    const opened = await openFunctions(rule.spec.functions ?? [], () => context.clock.monotonic());
    stack.defer(() => opened.close());
    prepared.push(prepare(rule, { around, functions: opened.functions, ...(node === undefined ? {} : { node }) }));
  }
  if (flags.input !== undefined) replayAll(context, prepared, flags, flags.input);
  else runCases(context, prepared, flags);
}

function ofKind<T extends KubeObject>(objects: readonly KubeObject[], kind: string): readonly T[] {
  return objects.filter((object) => object.kind === kind && object.apiVersion.startsWith('streams.skerry.io/')) as T[];
}

function prepare(rule: Rule, options: Parameters<typeof prepareRule>[1]): PreparedRule {
  try {
    return prepareRule(rule, options);
  } catch (cause) {
    throw cliErrors.INVALID_ARGUMENT({ argument: rule.metadata.name ?? 'rule', problem: messageOf(cause) }, { cause });
  }
}

function runCases(context: CliContext, rules: readonly PreparedRule[], { output }: RuleTestFlags): void {
  const outcomes = rules.flatMap((rule) =>
    (rule.spec.tests ?? []).map((test) => {
      const failure = failureOf(rule, test);
      return {
        rule: rule.name,
        test: test.name,
        passed: failure === undefined,
        ...(failure === undefined ? {} : { failure }),
      };
    }),
  );
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

function replayAll(
  context: CliContext,
  rules: readonly PreparedRule[],
  flags: RuleTestFlags,
  input: readonly string[],
): void {
  for (const rule of rules) {
    const outcome = replay(rule, merged(recordingsFor(rule, input, flags.every)));
    if (flags.output === 'json') context.print(formatJson(inJson(rule, outcome)));
    else for (const row of outcome.results) context.print(`${JSON.stringify(plain(row))}\n`);
    context.say(summaryOf(rule, outcome));
  }
}

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
      isCsv: /\.csv$/i.test(file),
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
