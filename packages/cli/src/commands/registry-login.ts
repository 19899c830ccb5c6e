/** `skerry registry login`: a token for the registry, where docker, podman, buildah and skopeo look for one, or as a pull secret. */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Gvr, isStatus, type KubeObject } from '@skerry/api';
import { messageOf } from '@skerry/base';
import { parseDuration } from '@skerry/base/flags';
import type { HttpClient } from '@skerry/kube/client';
import type { ConnectionFlags } from '../connection.ts';
import { type CliContext, cliErrors } from '../context.ts';
import { openRegistryClient } from '../registry-client.ts';

export interface LoginFlags extends ConnectionFlags {
  readonly serviceAccount?: string;
  readonly duration: string;
  readonly secret?: string;
  readonly config?: string;
}

interface Account {
  readonly namespace: string;
  readonly name: string;
}

const ACCOUNTS: Gvr = { group: '', version: 'v1', resource: 'serviceaccounts' };
const rbac = (resource: string): Gvr => ({ group: 'rbac.authorization.k8s.io', version: 'v1', resource });
/** Who pushes when nobody said who. */
const PUSHER: Account = { namespace: 'kube-system', name: 'image-pusher' };
const ROLE = 'skerry:image-pusher';
/** docker wants some name beside the token. */
const USERNAME = 'skerry';

export async function loginToRegistry(context: CliContext, flags: LoginFlags): Promise<void> {
  const account = flags.serviceAccount === undefined ? PUSHER : parseAccount(flags.serviceAccount);
  const expirationSeconds = parseSeconds(flags.duration);
  using registry = await openRegistryClient(context, flags);
  const { client, facts } = registry;
  if (account === PUSHER) await makePusher(client);
  const ref = { gvr: ACCOUNTS, ...account };
  const { status } = await client.createSubresource<{ readonly status: { readonly token: string } }>(ref, 'token', {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { expirationSeconds },
  });
  const auth = Buffer.from(`${USERNAME}:${status.token}`).toString('base64');
  const auths = Object.fromEntries(facts.addresses.map((address) => [address, { auth }]));
  if (flags.secret !== undefined) {
    context.print(pullSecret(flags.secret, auths));
    return;
  }
  const file = writeConfig(context, flags.config, auths);
  const folder = join(homeOf(context), '.config', 'containers', 'certs.d');
  for (const address of facts.addresses) writePrivate(join(folder, address, 'ca.crt'), facts.ca);
  const who = `system:serviceaccount:${account.namespace}:${account.name}`;
  context.say(
    `skerry: ${file} lets docker, podman, buildah and skopeo into ${facts.addresses.join(', ')} as ${who} for ${flags.duration}\n` +
      `skerry: the CA is in ${folder}; docker wants it in /etc/docker/certs.d/${facts.addresses[0]}/ca.crt\n`,
  );
}

function parseAccount(text: string): Account {
  const [namespace = '', name = '', ...more] = text.split('/');
  if (namespace !== '' && name !== '' && more.length === 0) return { namespace, name };
  throw cliErrors.INVALID_ARGUMENT({ argument: `--service-account ${text}`, problem: 'must be NAMESPACE/NAME' });
}

function parseSeconds(text: string): number {
  try {
    return Math.round(parseDuration(text) / 1000);
  } catch (cause) {
    throw cliErrors.INVALID_ARGUMENT({ argument: `--duration ${text}`, problem: messageOf(cause) }, { cause });
  }
}

/** An account of its own that may push and pull everywhere, and nothing else. */
async function makePusher(client: HttpClient): Promise<void> {
  const { namespace, name } = PUSHER;
  const rules = [{ apiGroups: ['registry.skerry.io'], resources: ['images'], verbs: ['*'] }];
  const subjects = [{ kind: 'ServiceAccount', namespace, name }];
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: ROLE };
  const inRbac = { apiVersion: 'rbac.authorization.k8s.io/v1', metadata: { name: ROLE } };
  await create(client, ACCOUNTS, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { namespace, name } });
  await create(client, rbac('clusterroles'), { ...inRbac, kind: 'ClusterRole', rules });
  await create(client, rbac('clusterrolebindings'), { ...inRbac, kind: 'ClusterRoleBinding', subjects, roleRef });
}

async function create(client: HttpClient, gvr: Gvr, object: KubeObject): Promise<void> {
  try {
    await client.create(gvr, object, { fieldManager: 'skerry' });
  } catch (error) {
    if (!isStatus(error, 'AlreadyExists')) throw error;
  }
}

type Auths = Readonly<Record<string, { readonly auth: string }>>;

function pullSecret(name: string, auths: Auths): string {
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name },
    type: 'kubernetes.io/dockerconfigjson',
    data: { '.dockerconfigjson': Buffer.from(JSON.stringify({ auths })).toString('base64') },
  };
  return `${JSON.stringify(secret, null, 2)}\n`;
}

/** Adds to what is there, as `docker login` does. */
function writeConfig(context: CliContext, folder: string | undefined, auths: Auths): string {
  const named = folder ?? context.environment['DOCKER_CONFIG'] ?? '';
  const file = join(named === '' ? join(homeOf(context), '.docker') : named, 'config.json');
  const config = existsSync(file) ? readConfig(file) : {};
  writePrivate(file, `${JSON.stringify({ ...config, auths: { ...config.auths, ...auths } }, null, 2)}\n`);
  return file;
}

function readConfig(file: string): { readonly auths?: Auths } {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as { readonly auths?: Auths };
  } catch (cause) {
    throw cliErrors.INVALID_ARGUMENT({ argument: file, problem: 'is not JSON; nothing was changed' }, { cause });
  }
}

function writePrivate(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(`${file}.partial`, text, { mode: 0o600 });
  renameSync(`${file}.partial`, file);
}

function homeOf({ environment }: CliContext): string {
  const home = environment['HOME'];
  if (home !== undefined && home !== '') return home;
  throw cliErrors.INVALID_ARGUMENT({ argument: 'HOME', problem: 'is not set; name a folder with --config' });
}
