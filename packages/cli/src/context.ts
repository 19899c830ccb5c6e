/** What the commands take from the machine; made once in `bin.ts`, so that no command reads the environment itself. */
import type { Clock } from '@skerry/base';
import { defineErrors } from '@skerry/base';

export interface CliContext {
  readonly version: string;
  /** How people call this program. */
  readonly command: string;
  /** The folder of the bundles, from which `up` starts the cloud and the agent. */
  readonly lib: string;
  /** The running Node. */
  readonly node: string;
  readonly defaultDataDir: string;
  readonly defaultKeyDir: string;
  /** The environment that child processes get. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The KUBECONFIG variable, if set. */
  readonly kubeconfig?: string;
  readonly clock: Clock;
  /** Writes to standard output: results only, so that pipes stay clean. */
  readonly print: (text: string) => void;
  /** Writes to standard error: progress and advice. */
  readonly say: (text: string) => void;
  /** Shows how far something is, in place of what it showed before; undefined where there is no terminal. */
  readonly progress?: (text: string) => void;
  /** Asks on the terminal without showing what is typed; undefined where there is no terminal. */
  readonly askSecret?: (question: string) => Promise<string>;
}

export const cliErrors = defineErrors('CLI', {
  NO_CLOUD: {
    text: "found no cloud at {place}; start one with 'npm start' or name one with --kubeconfig or --data-dir",
    retry: 'never',
  },
  PROCESS_FAILED: { text: '{process} did not start: {reason} (log: {log})', retry: 'never' },
  PASSPHRASE_MISSING: { text: 'a passphrase is needed; give --passphrase-file FILE', retry: 'never' },
  PASSPHRASE_SHORT: { text: 'the passphrase has fewer than {least} characters; choose a longer one', retry: 'never' },
  BACKUP_FAILED: { text: 'the backup of {server} failed: {reason}', retry: 'backoff' },
  AUDIT_ALTERED: { text: 'the audit log in {directory} was altered: {file}, line {line}: {problem}', retry: 'never' },
  INVALID_ARGUMENT: { text: '{argument}: {problem}', retry: 'never' },
  NOT_CONFIRMED: { text: '{property}: {result}', retry: 'never' },
  NO_REGISTRY: { text: 'this cloud serves no images; start it without --registry-listen none', retry: 'never' },
  REGISTRY_REFUSED: { text: 'the registry refused {path}: {reason}', retry: 'never' },
  NO_NODE: { text: 'there is no node {node} in {dir}', retry: 'never' },
  NODE_RUNS: { text: 'the agent of {node} runs; stop it first, its pods go on meanwhile', retry: 'never' },
  IMPORT_FAILED: { text: 'not all images were imported: {reason}', retry: 'never' },
  SERIES_REFUSED: { text: 'the cloud refused the {what}: {reason}', retry: 'never' },
  ROWS_FAILED: { text: 'rows of the recording failed in {rules}', retry: 'never' },
  RULE_FAILED: { text: '{failed} of {cases} cases failed', retry: 'never' },
  INSTALL_FAILED: { text: 'the service was not installed: {reason}', retry: 'never' },
});
