/** What a new user reads after `npm start`: where things are, and what to type next. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { CliContext } from './context.ts';

export interface WelcomeFacts {
  readonly context: CliContext;
  readonly dataDir: string;
  readonly node: string | undefined;
  readonly server: string;
}

export function welcome({ context, dataDir, node, server }: WelcomeFacts): string {
  const kubeconfig = join(dataDir, 'kubeconfig');
  const dataDirFlag = dataDir === context.defaultDataDir ? '' : ` --data-dir ${dataDir}`;
  const lines = [
    `Skerry ${context.version} is running.`,
    '',
    `  API         ${server}`,
    `  kubeconfig  ${kubeconfig}`,
    ...(node === undefined
      ? []
      : [`  node        ${node}, with its own API: ${join(dataDir, 'edge', node, 'kubeconfig')}`]),
    '',
    'Try next, in another terminal',
    `  export KUBECONFIG=${kubeconfig}`,
    '  kubectl get nodes',
    "  kubectl create deployment hello --image=host -- /bin/sh -c 'while :; do date; sleep 2; done'",
    '  kubectl logs -f deployment/hello',
    '',
    'Join another node',
    `  ${context.command} token create --node edge-2${dataDirFlag}`,
    `  ${context.command} edge --token TOKEN --data-dir DIR          # there, or here in a directory of its own`,
    '',
    ...bubblewrapAdvice(context.environment['PATH']),
    'Ctrl-C stops it all, pods with their grace; the next start finds everything as it was.',
    '',
  ];
  return lines.join('\n');
}

/** Pods with volumes need bubblewrap; the start goes on without it, but says so. */
function bubblewrapAdvice(path = ''): readonly string[] {
  if (path.split(delimiter).some((folder) => isExecutable(join(folder, 'bwrap')))) return [];
  return [
    'bubblewrap is missing: pods that mount anything are refused, and all do unless automountServiceAccountToken is false.',
    'This brings it:',
    '  sudo apt-get install bubblewrap',
    '',
  ];
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
