/** kubeconfig files: who to talk to, as whom (client-go clientcmd v1). */
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { errors } from './errors.ts';
import type { Connection } from './http.ts';

export interface LoadKubeconfigOptions {
  /** Reads YAML. Without it only JSON is understood, which is what Skerry writes: the agent carries no YAML parser. */
  readonly parseYaml?: (text: string) => unknown;
  /** Default: the file's current-context. */
  readonly context?: string;
}

export interface LoadedKubeconfig {
  readonly connection: Connection;
  /** The context's namespace; `default` when it has none. */
  readonly namespace: string;
  readonly context: string;
}

export async function loadKubeconfig(file: string, options: LoadKubeconfigOptions = {}): Promise<LoadedKubeconfig> {
  const config = parseConfig(file, await readText(file, file), options.parseYaml);
  const name = options.context ?? config['current-context'] ?? '';
  const context = named(config.contexts, name)?.context;
  if (context === undefined) throw invalid(file, `there is no context ${JSON.stringify(name)}`);
  const cluster = named(config.clusters, context.cluster)?.cluster;
  if (cluster?.server === undefined) throw invalid(file, `there is no cluster ${JSON.stringify(context.cluster)}`);
  const user = named(config.users, context.user)?.user ?? {};
  if (user.exec !== undefined || user['auth-provider'] !== undefined) {
    throw invalid(file, `user ${JSON.stringify(context.user)} needs a credential plugin, which is not supported`);
  }
  return {
    connection: await connectionOf(file, cluster, user),
    namespace: context.namespace ?? 'default',
    context: name,
  };
}

export interface KubeconfigFacts {
  readonly server: string;
  readonly ca: string;
  /** Cluster, context and user are called this. */
  readonly name?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly token?: string;
  readonly namespace?: string;
}

/** A kubeconfig with one context, as JSON, which is YAML too: any kubectl reads it. Holds a secret: write it with mode 0600. */
export function formatKubeconfig(facts: KubeconfigFacts): string {
  const { name = 'skerry', namespace } = facts;
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server: facts.server, 'certificate-authority-data': toBase64(facts.ca) } }],
    users: [{ name, user: userEntry(facts) }],
    contexts: [{ name, context: { cluster: name, user: name, ...(namespace === undefined ? {} : { namespace }) } }],
    'current-context': name,
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

function userEntry({ cert, key, token }: KubeconfigFacts): User {
  return {
    ...(cert === undefined ? {} : { 'client-certificate-data': toBase64(cert) }),
    ...(key === undefined ? {} : { 'client-key-data': toBase64(key) }),
    ...(token === undefined ? {} : { token }),
  };
}

interface Cluster {
  readonly server?: string;
  readonly 'certificate-authority'?: string;
  readonly 'certificate-authority-data'?: string;
  readonly 'insecure-skip-tls-verify'?: boolean;
  readonly 'tls-server-name'?: string;
}

interface User {
  readonly 'client-certificate'?: string;
  readonly 'client-certificate-data'?: string;
  readonly 'client-key'?: string;
  readonly 'client-key-data'?: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly exec?: unknown;
  readonly 'auth-provider'?: unknown;
}

interface Config {
  readonly 'current-context'?: string;
  readonly clusters?: readonly { readonly name: string; readonly cluster?: Cluster }[];
  readonly users?: readonly { readonly name: string; readonly user?: User }[];
  readonly contexts?: readonly {
    readonly name: string;
    readonly context?: { readonly cluster?: string; readonly user?: string; readonly namespace?: string };
  }[];
}

async function connectionOf(file: string, cluster: Cluster, user: User): Promise<Connection> {
  if (cluster['insecure-skip-tls-verify'] === true) throw invalid(file, 'insecure-skip-tls-verify is not supported');
  const pem = (data: string | undefined, path: string | undefined) => readPem(file, data, path);
  const ca = await pem(cluster['certificate-authority-data'], cluster['certificate-authority']);
  const cert = await pem(user['client-certificate-data'], user['client-certificate']);
  const key = await pem(user['client-key-data'], user['client-key']);
  const token = user.token ?? (user.tokenFile === undefined ? undefined : await readToken(file, user.tokenFile));
  return {
    server: cluster.server ?? '',
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(token === undefined ? {} : { token }),
    ...(cluster['tls-server-name'] === undefined ? {} : { serverName: cluster['tls-server-name'] }),
  };
}

function parseConfig(file: string, text: string, parseYaml: LoadKubeconfigOptions['parseYaml']): Config {
  const parsed = parseEither(file, text, parseYaml);
  if (typeof parsed !== 'object' || parsed === null) throw invalid(file, 'it is not an object');
  return parsed as Config;
}

function parseEither(file: string, text: string, parseYaml: LoadKubeconfigOptions['parseYaml']): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    if (parseYaml === undefined) throw invalid(file, 'it is not JSON, and YAML cannot be read here', cause);
  }
  try {
    return parseYaml(text);
  } catch (cause) {
    throw invalid(file, 'it is neither JSON nor YAML', cause);
  }
}

function named<T extends { readonly name: string }>(entries: readonly T[] | undefined, name: string | undefined) {
  return entries?.find((entry) => entry.name === name);
}

// Paths in a kubeconfig are relative to the file itself.
async function readPem(file: string, data: string | undefined, path: string | undefined): Promise<string | undefined> {
  if (data !== undefined && data !== '') return Buffer.from(data, 'base64').toString('utf8');
  return path === undefined || path === '' ? undefined : readText(file, resolve(dirname(file), path));
}

async function readToken(file: string, path: string): Promise<string> {
  return (await readText(file, resolve(dirname(file), path))).trim();
}

async function readText(kubeconfig: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw errors.KUBECONFIG_UNREADABLE({ file: kubeconfig }, { cause });
  }
}

function invalid(file: string, problem: string, cause?: unknown): Error {
  return errors.KUBECONFIG_INVALID({ file, problem }, { cause });
}

function toBase64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}
