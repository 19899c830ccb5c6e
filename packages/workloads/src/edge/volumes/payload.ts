/** What a ConfigMap, Secret, downwardAPI or projected volume holds. Pure but for its readers. */
import { fieldValue, type PodFacts, resourceValue } from '../pod/downward.ts';
import type { ConfigObject, ConfigReader } from '../pod/environment.ts';
import type { ConfigMapSource, DownwardItem, Pod, ProjectedSource, Volume } from '../pod/types.ts';
import { type VolumeFile, volumePath } from './atomic-directory.ts';

/** Why a volume cannot be set up; the message goes into the FailedMount event. */
export class VolumeProblem extends Error {
  override readonly name = 'VolumeProblem';
}

export interface TokenRequest {
  readonly namespace: string;
  readonly serviceAccount: string;
  /** Empty: the API's own audience. */
  readonly audiences: readonly string[];
  readonly expirationSeconds: number;
  readonly pod: { readonly name: string; readonly uid: string };
}

export interface IssuedToken {
  readonly token: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

export interface PayloadSources {
  readonly pod: Pod;
  readonly facts: PodFacts;
  readonly read: ConfigReader;
  readonly token: (request: TokenRequest) => Promise<IssuedToken>;
  /** When the pod's files have an owner or a group of their own, tokens are for them alone. */
  readonly tokenMode?: number;
}

const DEFAULT_MODE = 0o644;
const DEFAULT_TOKEN_SECONDS = 3600;

/** Undefined for a volume that is not made of files. */
export async function payloadOf(volume: Volume, sources: PayloadSources): Promise<Map<string, VolumeFile> | undefined> {
  const { configMap, secret, downwardAPI, projected } = volume;
  const files = new Map<string, VolumeFile>();
  if (configMap !== undefined) await addConfig('ConfigMap', configMap, configMap.defaultMode, sources, files);
  else if (secret !== undefined) {
    await addConfig('Secret', { name: secret.secretName ?? '', ...secret }, secret.defaultMode, sources, files);
  } else if (downwardAPI !== undefined) {
    addDownward(downwardAPI.items ?? [], downwardAPI.defaultMode, sources, files);
  } else if (projected !== undefined) {
    for (const source of projected.sources ?? []) await addProjected(source, projected.defaultMode, sources, files);
  } else return undefined;
  return files;
}

async function addProjected(
  source: ProjectedSource,
  mode: number | undefined,
  sources: PayloadSources,
  files: Map<string, VolumeFile>,
): Promise<void> {
  if (source.configMap !== undefined) await addConfig('ConfigMap', source.configMap, mode, sources, files);
  if (source.secret !== undefined) await addConfig('Secret', source.secret, mode, sources, files);
  if (source.downwardAPI !== undefined) addDownward(source.downwardAPI.items ?? [], mode, sources, files);
  if (source.serviceAccountToken === undefined) return;
  const { path, audience, expirationSeconds = DEFAULT_TOKEN_SECONDS } = source.serviceAccountToken;
  const { metadata, spec } = sources.pod;
  const { token } = await sources.token({
    namespace: metadata.namespace ?? '',
    serviceAccount: spec.serviceAccountName ?? 'default',
    audiences: audience === undefined || audience === '' ? [] : [audience],
    expirationSeconds,
    pod: { name: metadata.name ?? '', uid: metadata.uid ?? '' },
  });
  put(files, path, Buffer.from(token), sources.tokenMode ?? mode);
}

async function addConfig(
  kind: 'ConfigMap' | 'Secret',
  { name = '', items, optional }: ConfigMapSource,
  defaultMode: number | undefined,
  { pod, read }: PayloadSources,
  files: Map<string, VolumeFile>,
): Promise<void> {
  const object = await read(kind, name);
  if (object === undefined) {
    if (optional) return;
    throw new VolumeProblem(`${kind.toLowerCase()} "${name}" not found`);
  }
  const data = dataOf(kind, object);
  if (items === undefined) {
    for (const [key, bytes] of data) put(files, key, bytes, defaultMode);
    return;
  }
  for (const { key, path, mode } of items) {
    const bytes = data.get(key);
    if (bytes !== undefined) put(files, path, bytes, mode ?? defaultMode);
    else if (!optional) {
      throw new VolumeProblem(
        `references non-existent ${kind.toLowerCase()} key: ${pod.metadata.namespace}/${name}/${key}`,
      );
    }
  }
}

function dataOf(kind: 'ConfigMap' | 'Secret', { data = {}, binaryData = {} }: ConfigObject): Map<string, Buffer> {
  const encoding = kind === 'Secret' ? 'base64' : 'utf8';
  return new Map([
    ...Object.entries(data).map(([key, value]) => [key, Buffer.from(value, encoding)] as const),
    ...Object.entries(binaryData).map(([key, value]) => [key, Buffer.from(value, 'base64')] as const),
  ]);
}

function addDownward(
  items: readonly DownwardItem[],
  defaultMode: number | undefined,
  { pod, facts }: PayloadSources,
  files: Map<string, VolumeFile>,
): void {
  for (const { path, fieldRef, resourceFieldRef, mode } of items) {
    const text =
      fieldRef !== undefined
        ? fieldValue(fieldRef, pod, facts)
        : resourceFieldRef !== undefined
          ? resourceValue(resourceFieldRef, pod, undefined, facts)
          : undefined;
    if (text === undefined) throw new VolumeProblem(`downwardAPI item ${path} refers to a field that is not supported`);
    put(files, path, Buffer.from(text), mode ?? defaultMode);
  }
}

function put(files: Map<string, VolumeFile>, path: string, data: Buffer, mode: number = DEFAULT_MODE): void {
  const safe = volumePath(path);
  if (safe === undefined) throw new VolumeProblem(`path ${JSON.stringify(path)} leaves the volume`);
  files.set(safe, { data, mode });
}
