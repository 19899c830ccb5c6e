/** Options that many commands share. */
import { type Command, Option } from 'commander';

export function withConnection(command: Command): Command {
  return command
    .option('--data-dir <dir>', 'data directory of a cloud on this machine')
    .option('--kubeconfig <file>', 'kubeconfig of a cloud anywhere');
}

export const jsonOutput = () => new Option('-o, --output <format>', 'print for a machine').choices(['json']);

export const tableOutput = () => new Option('-o, --output <format>', 'print for a machine').choices(['json', 'csv']);

export function inTime(command: Command): Command {
  return command
    .option('--from <time>', 'a time such as 2026-01-31T06:00:00Z, or how long ago, such as 2h', '1h')
    .option('--to <time>', 'likewise', '0s');
}
