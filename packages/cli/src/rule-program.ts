/** `skerry rule …`: its commands with their arguments. */
import { parseDuration } from '@skerry/base/flags';
import { Command, InvalidArgumentError } from 'commander';
import { jsonOutput, withConnection } from './command-options.ts';
import type { RuleFlags } from './commands/rule.ts';
import type { RuleTestFlags } from './commands/rule-test.ts';
import type { CliContext } from './context.ts';

export function ruleCommand(context: CliContext): Command {
  const load = () => import('./commands/rule.ts');
  const list = inNamespace(new Command('list').alias('ls'))
    .option('-A, --all-namespaces', 'those of every namespace')
    .description('every rule, how it is at its nodes, and how much goes through it')
    .action(async (flags: RuleFlags) => (await load()).listRules(context, flags));
  const show = inNamespace(new Command('show'))
    .argument('<name>', 'the rule')
    .description('one rule in full, at each of its nodes')
    .action(async (name: string, flags: RuleFlags) => (await load()).showRule(context, name, flags));
  const explain = inNamespace(new Command('explain'))
    .argument('<name>', 'the rule')
    .option('--node <name>', 'whose counters are shown; the first by name without it')
    .description('the plan of a rule, what each operator costs, and what it has done')
    .action(async (name: string, flags: RuleFlags) => (await load()).explainRules(context, name, flags));
  const rule = new Command('rule').description('rules on streams; also at a node, with its own kubeconfig');
  for (const command of [list, show, explain, testCommand(context)]) rule.addCommand(command);
  return rule;
}

function testCommand(context: CliContext): Command {
  return new Command('test')
    .argument('<files...>', 'manifests of rules, with the streams and tables that they name')
    .option('--input <file...>', 'recorded rows: FILE, or STREAM=FILE; CSV with a header, or a JSON object a line')
    .option('--table <name=file...>', 'with --input: what a table holds, CSV with a header, or a JSON object a line')
    .option('--every <duration>', 'rows that do not say when they were come so far apart', milliseconds, 1000)
    .option('--node <name>', 'with the parameters that the rule has there')
    .addOption(jsonOutput())
    .description("run rules' own cases, or rules on recorded data, here and now: no cloud is asked, and no time passes")
    .action(async (files: readonly string[], flags: RuleTestFlags) =>
      (await import('./commands/rule-test.ts')).testRules(context, files, flags),
    );
}

function inNamespace(command: Command): Command {
  return withConnection(command)
    .option('-n, --namespace <name>', 'namespace of the rule', 'default')
    .addOption(jsonOutput());
}

function milliseconds(text: string): number {
  try {
    return parseDuration(text);
  } catch {
    throw new InvalidArgumentError('a duration is like 90s, 5m or 1h.');
  }
}
