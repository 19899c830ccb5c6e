/** A container's environment from everything that may feed it, in Kubernetes' order: services, envFrom, env. Pure but for `read`. */
import type { KubeObject } from '@skerry/api';
import { RuntimeRefusal } from '../runtime.ts';
import { fieldValue, type PodFacts, resourceValue } from './downward.ts';
import { parseEnvFile } from './env-file.ts';
import { expand } from './expand.ts';
import type { Container, EnvVar, FileKeyRef, KeyRef, Pod } from './types.ts';

export interface ConfigObject extends KubeObject {
  data?: Record<string, string>;
  binaryData?: Record<string, string>;
}

/** What a pod refers to by name. */
export type ReferredKind = 'ConfigMap' | 'Secret' | 'PersistentVolumeClaim' | 'PersistentVolume';

/** Reads it from the pod's namespace, if the kind has one; undefined when there is none. */
export type ConfigReader = (kind: ReferredKind, name: string) => Promise<ConfigObject | undefined>;

export interface ServiceFacts {
  readonly name: string;
  readonly clusterIP: string;
  readonly ports: readonly { readonly name?: string; readonly port: number; readonly protocol?: string }[];
}

export interface EnvironmentSources {
  readonly pod: Pod;
  readonly container: Container;
  readonly facts: PodFacts;
  readonly services: readonly ServiceFacts[];
  /** Where the API is for programs in a pod. */
  readonly localApi?: { readonly host: string; readonly port: number };
  readonly read: ConfigReader;
  /** Text of a file in a volume of the pod; undefined when there is none. */
  readonly readFile: (volume: string, path: string) => Promise<string | undefined>;
}

export async function environmentOf(sources: EnvironmentSources): Promise<Record<string, string>> {
  const env = new Map<string, string>();
  if (sources.pod.spec.enableServiceLinks !== false) addServices(env, sources.services);
  addLocalApi(env, sources.localApi);
  for (const source of sources.container.envFrom ?? []) await addAll(env, source, sources.read);
  for (const variable of sources.container.env ?? []) {
    const value = await lookUp(variable, env, sources);
    if (value !== undefined) env.set(variable.name, value);
  }
  return Object.fromEntries(env);
}

async function lookUp(
  { name, value, valueFrom }: EnvVar,
  env: ReadonlyMap<string, string>,
  sources: EnvironmentSources,
): Promise<string | undefined> {
  if (valueFrom === undefined) return expand(value ?? '', (known) => env.get(known));
  const { pod, container, facts, read } = sources;
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef, fileKeyRef } = valueFrom;
  if (configMapKeyRef !== undefined) return readKey('ConfigMap', configMapKeyRef, pod, read);
  if (secretKeyRef !== undefined) return readKey('Secret', secretKeyRef, pod, read);
  if (fileKeyRef !== undefined) return readFromFile(fileKeyRef, sources);
  const found =
    fieldRef !== undefined
      ? fieldValue(fieldRef, pod, facts)
      : resourceFieldRef !== undefined
        ? resourceValue(resourceFieldRef, pod, container, facts)
        : '';
  if (found === undefined) throw refuse(`variable ${name} refers to a field that is not supported`);
  return found;
}

async function readKey(
  kind: 'ConfigMap' | 'Secret',
  ref: KeyRef,
  pod: Pod,
  read: ConfigReader,
): Promise<string | undefined> {
  const object = await read(kind, ref.name);
  if (object === undefined) {
    if (ref.optional) return undefined;
    throw refuse(`${kind.toLowerCase()} "${ref.name}" not found`);
  }
  const value = textOf(kind, object, ref.key);
  if (value !== undefined || ref.optional) return value;
  throw refuse(`couldn't find key ${ref.key} in ${kind} ${pod.metadata.namespace}/${ref.name}`);
}

async function readFromFile(ref: FileKeyRef, { readFile }: EnvironmentSources): Promise<string | undefined> {
  const { volumeName, path, key, optional } = ref;
  const text = await readFile(volumeName, path);
  const found = text === undefined ? undefined : parseEnvFile(text);
  if (found === 'invalid') throw refuse(`file ${path} of volume ${volumeName} holds no variables`);
  const value = found?.get(key);
  if (value !== undefined || optional) return value;
  throw refuse(`environment variable key "${key}" not found in file "${path}" of volume "${volumeName}"`);
}

async function addAll(
  env: Map<string, string>,
  { prefix = '', configMapRef, secretRef }: NonNullable<Container['envFrom']>[number],
  read: ConfigReader,
): Promise<void> {
  const [kind, ref] =
    configMapRef !== undefined ? (['ConfigMap', configMapRef] as const) : (['Secret', secretRef] as const);
  if (ref === undefined) return;
  const object = await read(kind, ref.name);
  if (object === undefined) {
    if (ref.optional) return;
    throw refuse(`${kind.toLowerCase()} "${ref.name}" not found`);
  }
  for (const key of Object.keys(object.data ?? {})) {
    const value = textOf(kind, object, key);
    const name = `${prefix}${key}`;
    // A name no environment can carry is left out, as the API's validation of such keys demands.
    if (value !== undefined && !name.includes('=') && !name.includes('\0')) env.set(name, value);
  }
}

function textOf(kind: 'ConfigMap' | 'Secret', object: ConfigObject, key: string): string | undefined {
  const value = object.data?.[key];
  return value === undefined || kind === 'ConfigMap' ? value : Buffer.from(value, 'base64').toString('utf8');
}

/** The variables that name each service of the namespace, as Docker links did. */
function addServices(env: Map<string, string>, services: readonly ServiceFacts[]): void {
  for (const { name, clusterIP, ports } of services) {
    const [first] = ports;
    if (clusterIP === '' || clusterIP === 'None' || first === undefined) continue;
    const prefix = name.toUpperCase().replaceAll('-', '_');
    env.set(`${prefix}_SERVICE_HOST`, clusterIP);
    env.set(`${prefix}_SERVICE_PORT`, String(first.port));
    for (const port of ports) {
      if (port.name)
        env.set(`${prefix}_SERVICE_PORT_${port.name.toUpperCase().replaceAll('-', '_')}`, String(port.port));
    }
    env.set(`${prefix}_PORT`, linkOf(clusterIP, first));
    for (const port of ports) addLink(env, prefix, clusterIP, port);
  }
}

function addLink(env: Map<string, string>, prefix: string, ip: string, port: ServiceFacts['ports'][number]): void {
  const protocol = (port.protocol ?? 'TCP').toUpperCase();
  const link = `${prefix}_PORT_${port.port}_${protocol}`;
  env.set(link, linkOf(ip, port));
  env.set(`${link}_PROTO`, protocol.toLowerCase());
  env.set(`${link}_PORT`, String(port.port));
  env.set(`${link}_ADDR`, ip);
}

function linkOf(ip: string, { port, protocol = 'TCP' }: ServiceFacts['ports'][number]): string {
  return `${protocol.toLowerCase()}://${ip}:${port}`;
}

/** In a pod the nearest API answers: the node's own. */
function addLocalApi(env: Map<string, string>, api: EnvironmentSources['localApi']): void {
  if (api === undefined) return;
  const port = String(api.port);
  env.set('KUBERNETES_SERVICE_HOST', api.host);
  env.set('KUBERNETES_SERVICE_PORT', port);
  env.set('KUBERNETES_SERVICE_PORT_HTTPS', port);
  env.set('KUBERNETES_PORT', `tcp://${api.host}:${port}`);
}

function refuse(message: string): RuntimeRefusal {
  return new RuntimeRefusal('CreateContainerConfigError', message);
}
