/** `skerry registry login`: a token for the registry, where docker, podman, buildah and skopeo look for one, or as a pull secret. */
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { messageOf } from '@skerry/base';
import { parseDuration } from '@skerry/base/flags';
import type { ConnectionFlags } from '../connection.ts';
import { type CliContext, cliErrors } from '../context.ts';
import { type Auths, configFile, homeOf, readConfig } from '../docker-config.ts';
import { type Account, PUSHER, pusherToken, tokenOf } from '../pusher-account.ts';
import { openRegistryClient } from '../registry-client.ts';

export interface LoginFlags extends ConnectionFlags {
  readonly serviceAccount?: string;
  readonly duration: string;
  readonly secret?: string;
  readonly config?: string;
}

/** docker wants some name beside the token. */
const USERNAME = 'skerry';

export async function loginToRegistry(context: CliContext, flags: LoginFlags): Promise<void> {
  const account = flags.serviceAccount === undefined ? PUSHER : parseAccount(flags.serviceAccount);
  const expirationSeconds = parseSeconds(flags.duration);
  using registry = await openRegistryClient(context, flags);
  const { client, facts } = registry;
  const token =
    account === PUSHER
      ? await pusherToken(client, expirationSeconds)
      : await tokenOf(client, account, expirationSeconds);
  const auth = Buffer.from(`${USERNAME}:${token}`).toString('base64');
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
  const file = configFile(context, folder);
  const config = readConfig(file);
  writePrivate(file, `${JSON.stringify({ ...config, auths: { ...config.auths, ...auths } }, null, 2)}\n`);
  return file;
}

function writePrivate(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(`${file}.partial`, text, { mode: 0o600 });
  renameSync(`${file}.partial`, file);
}
