/** Credentials for a registry from the pod's imagePullSecrets. */
import type { RegistryCredentials } from '../../images/contract.ts';
import { DOCKER_HUB, parseReference, repositoryName } from '../../images/reference.ts';
import type { ConfigReader } from './environment.ts';
import type { Pod } from './types.ts';

interface AuthEntry {
  readonly auth?: string;
  readonly username?: string;
  readonly password?: string;
  readonly identitytoken?: string;
  readonly registrytoken?: string;
}

/** Those of the first secret that has any for the image; undefined where none has. */
export async function authFor(image: string, pod: Pod, read: ConfigReader): Promise<RegistryCredentials | undefined> {
  for (const { name } of pod.spec.imagePullSecrets ?? []) {
    const secret = name === undefined ? undefined : await read('Secret', name);
    const found = findEntry(image, entriesOf(secret?.data ?? {}));
    if (found !== undefined) return found;
  }
  return undefined;
}

function entriesOf(data: Readonly<Record<string, string>>): Readonly<Record<string, AuthEntry>> {
  const [modern, legacy] = [data['.dockerconfigjson'], data['.dockercfg']];
  try {
    if (modern !== undefined) return (parse(modern) as { auths?: Record<string, AuthEntry> }).auths ?? {};
    if (legacy !== undefined) return parse(legacy) as Record<string, AuthEntry>;
  } catch {
    // A secret that holds no JSON has no credentials.
  }
  return {};
}

function parse(base64: string): object {
  const value: unknown = JSON.parse(Buffer.from(base64, 'base64').toString('utf8'));
  return typeof value === 'object' && value !== null ? value : {};
}

/** The entry with the longest path that begins the image's name. */
function findEntry(image: string, entries: Readonly<Record<string, AuthEntry>>): RegistryCredentials | undefined {
  const name = repositoryName(parseReference(image));
  const [best] = Object.entries(entries)
    .map(([key, entry]) => ({ prefix: prefixOf(key), entry }))
    .filter(({ prefix }) => name === prefix || name.startsWith(`${prefix}/`))
    .sort((one, other) => other.prefix.length - one.prefix.length);
  return best === undefined ? undefined : toAuth(best.entry);
}

/** `https://index.docker.io/v1/` and the like, as `docker login` writes them. */
function prefixOf(key: string): string {
  const plain = key.replace(/^https?:\/\//, '').replace(/\/(v[12]\/?)?$/, '');
  return plain.replace(/^(index|registry-1)\.docker\.io/, DOCKER_HUB);
}

function toAuth({
  auth = '',
  username = '',
  password = '',
  identitytoken = '',
  registrytoken = '',
}: AuthEntry): RegistryCredentials {
  const [user = '', ...secret] = Buffer.from(auth, 'base64').toString('utf8').split(':');
  return {
    username: username || user,
    password: password || secret.join(':'),
    ...(identitytoken === '' ? {} : { identityToken: identitytoken }),
    ...(registrytoken === '' ? {} : { registryToken: registrytoken }),
  };
}
