/** Options that many commands share. */
import { type Command, Option } from 'commander';

export function withConnection(command: Command): Command {
  return command
    .option('--data-dir <dir>', 'data directory of a cloud on this machine')
    .option('--kubeconfig <file>', 'kubeconfig of a cloud anywhere');
}

export const jsonOutput = () => new Option('-o, --output <format>', 'print for a machine').choices(['json']);
