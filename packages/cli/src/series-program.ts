/** `skerry series …`: its commands with their arguments. */
import { Command, Option } from 'commander';
import { inTime, tableOutput, withConnection } from './command-options.ts';
import type { QueryFlags, SeriesFlags } from './commands/series.ts';
import type { ExportFlags } from './commands/series-export.ts';
import type { SqlFlags } from './commands/series-sql.ts';
import type { CliContext } from './context.ts';

const AGGREGATES = ['avg', 'min', 'max', 'sum', 'count', 'first', 'last', 'increase', 'rate'];

export function seriesCommand(context: CliContext): Command {
  const series = new Command('series').description('time series: of the cloud, or as a node has recorded them');
  for (const command of [...seriesCommands(context), queryCommand(context), ...cloudCommands(context)])
    series.addCommand(command);
  return series;
}

function seriesCommands(context: CliContext): readonly Command[] {
  const load = () => import('./commands/series.ts');
  const list = inNamespace(new Command('list').alias('ls'))
    .argument('[selector]', 'which, such as temperature{device="oven-1"}; all without it')
    .option('-A, --all-namespaces', 'those of every namespace')
    .description('which series there are')
    .action(async (selector: string | undefined, flags: SeriesFlags) =>
      (await load()).listSeries(context, selector, flags),
    );
  const last = inNamespace(new Command('last'))
    .argument('[selector]', 'which; all without it')
    .option('-A, --all-namespaces', 'those of every namespace')
    .description('the last value of series')
    .action(async (selector: string | undefined, flags: SeriesFlags) =>
      (await load()).lastValues(context, selector, flags),
    );
  return [list, last];
}

function queryCommand(context: CliContext): Command {
  return inTime(inNamespace(new Command('query')))
    .argument('<expression>', 'a selector, whose values come as they are, or PromQL')
    .option('--step <duration>', 'one value for each')
    .addOption(
      new Option('--aggregate <name>', 'of the values in a step, where a selector is asked').choices(AGGREGATES),
    )
    .description('values of series, or what PromQL makes of them: at the end of the time, or with --step all along')
    .action(async (expression: string, flags: QueryFlags) =>
      (await import('./commands/series.ts')).querySeries(context, expression, flags),
    );
}

function cloudCommands(context: CliContext): readonly Command[] {
  const sql = inTime(withConnection(new Command('sql')))
    .argument('<query>', 'of the table samples')
    .option('--match <selector>', 'which series are in the table; those of devices without it')
    .option('--max-rows <count>', 'of the answer', Number)
    .addOption(tableOutput())
    .description('ask the series of the cloud, of all namespaces, by SQL')
    .action(async (query: string, flags: SqlFlags) =>
      (await import('./commands/series-sql.ts')).askSql(context, query, flags),
    );
  const exported = inTime(withConnection(new Command('export')))
    .argument('<selectors...>', 'which series')
    .requiredOption('--output <file>', 'FILE.parquet or FILE.csv')
    .description('write series of the cloud into a file, for training and notebooks')
    .action(async (selectors: readonly string[], flags: ExportFlags) =>
      (await import('./commands/series-export.ts')).exportSeries(context, selectors, flags),
    );
  return [sql, exported];
}

function inNamespace(command: Command): Command {
  return withConnection(command)
    .option('-n, --namespace <name>', 'namespace of the series', 'default')
    .option('--node <name>', 'ask what this node has recorded, instead of the cloud')
    .addOption(tableOutput());
}
