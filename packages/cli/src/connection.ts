/** Which cloud a command speaks to: --kubeconfig, then --data-dir, then the default data directory, then KUBECONFIG. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createHttpClient, type HttpClient, type LoadedKubeconfig, loadKubeconfig } from '@skerry/kube/client';
import { parse as parseYaml } from 'yaml';
import { type CliContext, cliErrors } from './context.ts';

export interface ConnectionFlags {
  readonly kubeconfig?: string;
  readonly dataDir?: string;
}

export async function findCloud(context: CliContext, flags: ConnectionFlags): Promise<LoadedKubeconfig> {
  return loadKubeconfig(kubeconfigFile(context, flags), { parseYaml: (text) => parseYaml(text) as unknown });
}

/** Opens a client for one command; the caller disposes it. */
export async function connect(context: CliContext, flags: ConnectionFlags): Promise<HttpClient> {
  const { connection } = await findCloud(context, flags);
  return createHttpClient({ connection, userAgent: `skerry/${context.version}` });
}

function kubeconfigFile(context: CliContext, flags: ConnectionFlags): string {
  if (flags.kubeconfig !== undefined) return flags.kubeconfig;
  if (flags.dataDir !== undefined) return existing(join(flags.dataDir, 'kubeconfig'), flags.dataDir);
  // A data directory at the default place is a cloud of this checkout; KUBECONFIG often points to some other cluster.
  const local = join(context.defaultDataDir, 'kubeconfig');
  if (existsSync(local)) return local;
  if (context.kubeconfig !== undefined) return existing(context.kubeconfig, context.kubeconfig);
  throw cliErrors.NO_CLOUD({ place: context.defaultDataDir });
}

function existing(file: string, place: string): string {
  if (!existsSync(file)) throw cliErrors.NO_CLOUD({ place });
  return file;
}
