/** Where docker, podman, buildah and skopeo look for credentials, and where `skerry registry login` puts them. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ImageReference, RegistryCredentials } from '@skerry/workloads/images';
import { type CliContext, cliErrors } from './context.ts';

export type Auths = Readonly<Record<string, { readonly auth?: string }>>;

export interface DockerConfig {
  readonly auths?: Auths;
}

/** `folder` as the user named it. */
export function configFile(context: CliContext, folder?: string): string {
  const named = folder ?? context.environment['DOCKER_CONFIG'] ?? '';
  return join(named === '' ? join(homeOf(context), '.docker') : named, 'config.json');
}

export function homeOf({ environment }: CliContext): string {
  const home = environment['HOME'];
  if (home !== undefined && home !== '') return home;
  throw cliErrors.INVALID_ARGUMENT({ argument: 'HOME', problem: 'is not set; name a folder with --config' });
}

export function readConfig(file: string): DockerConfig {
  if (!existsSync(file)) return {};
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as DockerConfig;
  } catch (cause) {
    throw cliErrors.INVALID_ARGUMENT({ argument: file, problem: 'is not JSON; nothing was changed' }, { cause });
  }
}

/** As `docker login` wrote it for Docker Hub. */
const DOCKER_HUB_KEY = 'https://index.docker.io/v1/';

export function credentialsIn(
  { auths = {} }: DockerConfig,
  { registry }: ImageReference,
): RegistryCredentials | undefined {
  const { auth } = auths[registry] ?? (registry === 'docker.io' ? auths[DOCKER_HUB_KEY] : undefined) ?? {};
  if (auth === undefined) return undefined;
  const [username = '', ...password] = Buffer.from(auth, 'base64').toString().split(':');
  return { username, password: password.join(':') };
}
