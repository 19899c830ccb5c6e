/** Containers of every sort: what they run, what they need, how they are watched. */
import { isObject, type JsonObject, objectAt } from '../../json.ts';
import { compareQuantity, parseQuantity } from '../../quantity.ts';
import { duplicate, forbidden, invalid, notFound, required } from '../../walker/field-errors.ts';
import {
  checkConfigKey,
  checkDnsLabel,
  checkDnsSubdomain,
  checkEnvName,
  checkPortName,
  checkPortNumber,
  checkQualifiedName,
} from '../names.ts';
import {
  atLeast,
  eachItem,
  type Faults,
  isAbsent,
  named,
  oneOf,
  optionally,
  present,
  problems,
  setFields,
  Unique,
  within,
} from './checks.ts';
import { checkRestarts } from './restarts.ts';

export interface PodFacts {
  readonly volumes: ReadonlySet<string>;
  /** Those of them that are empty directories: only these hold files of variables. */
  readonly emptyDirs: ReadonlySet<string>;
  readonly isHostNetwork: boolean;
}

export type ContainerRole = 'main' | 'init' | 'sidecar' | 'ephemeral';

const PULL_POLICIES = ['Always', 'IfNotPresent', 'Never'];
const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];
const MESSAGE_POLICIES = ['FallbackToLogsOnError', 'File'];
const MAX_PORT = 65_535;
const MAX_USER_ID = 2 ** 31 - 1;

export function checkContainer(
  faults: Faults,
  path: string,
  container: JsonObject,
  pod: PodFacts,
  role: ContainerRole,
): void {
  named(faults, `${path}.name`, container['name'], checkDnsLabel);
  checkImage(faults, `${path}.image`, container['image']);
  oneOf(faults, `${path}.imagePullPolicy`, container['imagePullPolicy'], PULL_POLICIES);
  oneOf(faults, `${path}.terminationMessagePolicy`, container['terminationMessagePolicy'], MESSAGE_POLICIES);
  checkPorts(faults, `${path}.ports`, container['ports'], pod.isHostNetwork);
  checkEnv(faults, `${path}.env`, container['env'], pod.emptyDirs);
  checkEnvFrom(faults, `${path}.envFrom`, container['envFrom']);
  checkMounts(faults, `${path}.volumeMounts`, container['volumeMounts'], pod.volumes);
  checkResources(faults, `${path}.resources`, objectAt(container, 'resources'));
  checkSecurityContext(faults, `${path}.securityContext`, container['securityContext']);
  checkProbes(faults, path, container, role);
  checkRestarts(faults, path, container);
  const { lifecycle } = container;
  if (isObject(lifecycle)) {
    for (const hook of ['postStart', 'preStop']) {
      if (isObject(lifecycle[hook]))
        checkHandler(faults, `${path}.lifecycle.${hook}`, lifecycle[hook], ['exec', 'httpGet', 'tcpSocket', 'sleep']);
    }
  }
}

function checkImage(faults: Faults, path: string, image: unknown): void {
  if (!present(faults, path, image)) return;
  const text = String(image);
  if (text.trim() !== text) faults.push(invalid(path, image, 'must not have leading or trailing whitespace'));
}

function checkPorts(faults: Faults, path: string, ports: unknown, isHostNetwork: boolean): void {
  const names = new Unique(faults);
  for (const [port, at] of eachItem(faults, path, ports)) {
    const { name, containerPort, hostPort, protocol } = port;
    if (!isAbsent(name)) {
      problems(faults, `${at}.name`, name, checkPortName(String(name)));
      names.add(`${at}.name`, name);
    }
    if (containerPort === undefined || containerPort === 0) faults.push(required(`${at}.containerPort`));
    else problems(faults, `${at}.containerPort`, containerPort, checkPortNumber(containerPort));
    if (hostPort !== undefined && hostPort !== 0) {
      problems(faults, `${at}.hostPort`, hostPort, checkPortNumber(hostPort));
      if (isHostNetwork && hostPort !== containerPort) {
        faults.push(invalid(`${at}.containerPort`, containerPort, 'must match `hostPort` when `hostNetwork` is true'));
      }
    }
    oneOf(faults, `${at}.protocol`, protocol, PROTOCOLS, true);
  }
}

function checkEnv(faults: Faults, path: string, env: unknown, emptyDirs: ReadonlySet<string>): void {
  for (const [variable, at] of eachItem(faults, path, env)) {
    const { name, value, valueFrom } = variable;
    if (present(faults, `${at}.name`, name)) problems(faults, `${at}.name`, name, checkEnvName(String(name)));
    if (!isObject(valueFrom)) continue;
    checkValueFrom(faults, `${at}.valueFrom`, valueFrom, !isAbsent(value));
    if (isObject(valueFrom['fileKeyRef']))
      checkFileKeyRef(faults, `${at}.valueFrom.fileKeyRef`, valueFrom['fileKeyRef'], emptyDirs);
  }
}

const VALUE_SOURCES = ['fieldRef', 'resourceFieldRef', 'configMapKeyRef', 'secretKeyRef', 'fileKeyRef'];
const ENV_FIELDS = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
];

function checkValueFrom(faults: Faults, path: string, source: JsonObject, hasValue: boolean): void {
  const set = setFields(source, VALUE_SOURCES);
  if (set.length === 0) {
    faults.push(
      invalid(path, '', `must specify one of: \`${VALUE_SOURCES.slice(0, 3).join('`, `')}\` or \`secretKeyRef\``),
    );
    return;
  }
  if (hasValue) faults.push(invalid(path, '', 'may not be specified when `value` is not empty'));
  if (set.length > 1) faults.push(invalid(path, '', 'may not have more than one field specified at a time'));
  const { fieldRef, resourceFieldRef } = source;
  if (isObject(fieldRef)) checkFieldRef(faults, `${path}.fieldRef`, fieldRef, ENV_FIELDS);
  if (isObject(resourceFieldRef)) present(faults, `${path}.resourceFieldRef.resource`, resourceFieldRef['resource']);
  for (const kind of ['configMapKeyRef', 'secretKeyRef']) {
    const reference = source[kind];
    if (!isObject(reference)) continue;
    present(faults, `${path}.${kind}.name`, reference['name']);
    if (present(faults, `${path}.${kind}.key`, reference['key'])) {
      problems(faults, `${path}.${kind}.key`, reference['key'], checkConfigKey(String(reference['key'])));
    }
  }
}

function checkFileKeyRef(faults: Faults, path: string, reference: JsonObject, emptyDirs: ReadonlySet<string>): void {
  const { volumeName, path: file, key } = reference;
  if (present(faults, `${path}.volumeName`, volumeName) && !emptyDirs.has(String(volumeName)))
    faults.push(invalid(`${path}.volumeName`, volumeName, 'must be the name of an emptyDir volume of the pod'));
  if (present(faults, `${path}.path`, file)) {
    if (String(file).startsWith('/')) faults.push(invalid(`${path}.path`, file, 'must be a relative path'));
    if (String(file).split('/').includes('..')) faults.push(invalid(`${path}.path`, file, "must not contain '..'"));
  }
  if (present(faults, `${path}.key`, key)) problems(faults, `${path}.key`, key, checkEnvName(String(key)));
}

/** A pod's own field; labels and annotations also by key. */
export function checkFieldRef(faults: Faults, path: string, reference: JsonObject, fields: readonly string[]): void {
  const field = reference['fieldPath'];
  if (!present(faults, `${path}.fieldPath`, field)) return;
  if (fields.includes(String(field)) || /^metadata\.(labels|annotations)\['[^']+'\]$/.test(String(field))) return;
  faults.push(
    invalid(
      `${path}.fieldPath`,
      field,
      'error converting fieldPath: field label not supported: '.concat(String(field)),
    ),
  );
}

function checkEnvFrom(faults: Faults, path: string, list: unknown): void {
  for (const [source, at] of eachItem(faults, path, list)) {
    optionally(faults, `${at}.prefix`, source['prefix'], checkEnvName);
    const set = setFields(source, ['configMapRef', 'secretRef']);
    if (set.length === 0) faults.push(invalid(at, '', 'must specify one of: `configMapRef` or `secretRef`'));
    if (set.length > 1) faults.push(invalid(at, '', 'may not have more than one field specified at a time'));
    for (const kind of set) named(faults, `${at}.${kind}.name`, objectAt(source, kind)['name'], checkDnsSubdomain);
  }
}

function checkMounts(faults: Faults, path: string, mounts: unknown, volumes: ReadonlySet<string>): void {
  const paths = new Set<unknown>();
  for (const [mount, at] of eachItem(faults, path, mounts)) {
    const { name, mountPath, subPath, subPathExpr } = mount;
    if (present(faults, `${at}.name`, name) && !volumes.has(String(name))) faults.push(notFound(`${at}.name`, name));
    if (present(faults, `${at}.mountPath`, mountPath)) {
      if (paths.has(mountPath)) faults.push(invalid(`${at}.mountPath`, mountPath, 'must be unique'));
      paths.add(mountPath);
    }
    checkRelative(faults, `${at}.subPath`, subPath);
    checkRelative(faults, `${at}.subPathExpr`, subPathExpr);
    if (!isAbsent(subPath) && !isAbsent(subPathExpr)) {
      faults.push(invalid(`${at}.subPathExpr`, subPathExpr, 'subPathExpr and subPath are mutually exclusive'));
    }
  }
}

/** A path that stays below where it starts. */
export function checkRelative(faults: Faults, path: string, value: unknown): void {
  if (isAbsent(value)) return;
  const text = String(value);
  if (text.startsWith('/')) faults.push(invalid(path, value, 'must be a relative path'));
  if (text.split('/').includes('..')) faults.push(invalid(path, value, "must not contain '..'"));
}

function checkResources(faults: Faults, path: string, resources: JsonObject): void {
  const limits = objectAt(resources, 'limits');
  const requests = objectAt(resources, 'requests');
  for (const [name, limit] of Object.entries(limits)) checkAmount(faults, `${path}.limits`, name, limit);
  for (const [name, request] of Object.entries(requests)) {
    checkAmount(faults, `${path}.requests`, name, request);
    const limit = limits[name];
    if (limit === undefined || compareQuantity(request, limit) <= 0) continue;
    faults.push(
      invalid(`${path}.requests`, String(request), `must be less than or equal to ${name} limit of ${String(limit)}`),
    );
  }
}

const STANDARD_RESOURCES = ['cpu', 'memory', 'ephemeral-storage'];

function checkAmount(faults: Faults, path: string, name: string, amount: unknown): void {
  const at = `${path}[${name}]`;
  problems(faults, at, name, checkQualifiedName(name));
  const isStandard = STANDARD_RESOURCES.includes(name) || name.startsWith('hugepages-');
  if (!isStandard && !name.includes('/'))
    faults.push(invalid(at, name, 'must be a standard resource type or fully qualified'));
  const quantity = parseQuantity(amount);
  if (quantity === undefined) return;
  if (quantity.nano < 0n) faults.push(invalid(at, String(amount), 'must be greater than or equal to 0'));
  if (!isStandard && quantity.nano % 1_000_000_000n !== 0n)
    faults.push(invalid(at, String(amount), 'must be an integer'));
}

function checkSecurityContext(faults: Faults, path: string, context: unknown): void {
  if (!isObject(context)) return;
  for (const field of ['runAsUser', 'runAsGroup']) within(faults, `${path}.${field}`, context[field], [0, MAX_USER_ID]);
  if (context['privileged'] === true && context['allowPrivilegeEscalation'] === false) {
    faults.push(invalid(path, context, 'cannot set `allowPrivilegeEscalation` to false and `privileged` to true'));
  }
}

function checkProbes(faults: Faults, path: string, container: JsonObject, role: ContainerRole): void {
  for (const name of ['livenessProbe', 'readinessProbe', 'startupProbe']) {
    const probe = container[name];
    if (!isObject(probe)) continue;
    if (role === 'init')
      faults.push(forbidden(`${path}.${name}`, 'may not be set for init containers without restartPolicy=Always'));
    else if (role === 'ephemeral')
      faults.push(forbidden(`${path}.${name}`, 'cannot be set for an Ephemeral Container'));
    else checkProbe(faults, `${path}.${name}`, probe, name === 'readinessProbe');
  }
  if (role === 'init' && isObject(container['lifecycle'])) {
    faults.push(forbidden(`${path}.lifecycle`, 'may not be set for init containers without restartPolicy=Always'));
  }
}

function checkProbe(faults: Faults, path: string, probe: JsonObject, isReadiness: boolean): void {
  checkHandler(faults, path, probe, ['exec', 'httpGet', 'tcpSocket', 'grpc']);
  atLeast(faults, `${path}.initialDelaySeconds`, probe['initialDelaySeconds'], 0);
  for (const field of ['timeoutSeconds', 'periodSeconds', 'successThreshold', 'failureThreshold']) {
    atLeast(faults, `${path}.${field}`, probe[field], 1);
  }
  if (!isReadiness && typeof probe['successThreshold'] === 'number' && probe['successThreshold'] !== 1) {
    faults.push(invalid(`${path}.successThreshold`, probe['successThreshold'], 'must be 1'));
  }
  if (isReadiness && probe['terminationGracePeriodSeconds'] !== undefined) {
    faults.push(
      invalid(
        `${path}.terminationGracePeriodSeconds`,
        probe['terminationGracePeriodSeconds'],
        'must not be set for readinessProbes',
      ),
    );
  }
}

function checkHandler(faults: Faults, path: string, handler: JsonObject, kinds: readonly string[]): void {
  const [kind, ...more] = setFields(handler, kinds);
  if (kind === undefined) {
    faults.push(required(path, 'must specify a handler type'));
    return;
  }
  for (const extra of more) faults.push(forbidden(`${path}.${extra}`, 'may not specify more than 1 handler type'));
  const body = objectAt(handler, kind);
  const at = `${path}.${kind}`;
  if (kind === 'exec' && (!Array.isArray(body['command']) || body['command'].length === 0))
    faults.push(required(`${at}.command`));
  if (kind === 'httpGet') {
    present(faults, `${at}.path`, body['path']);
    oneOf(faults, `${at}.scheme`, body['scheme'], ['HTTP', 'HTTPS']);
  }
  if (kind === 'httpGet' || kind === 'tcpSocket') checkPortReference(faults, `${at}.port`, body['port']);
  if (kind === 'grpc') problems(faults, `${at}.port`, body['port'], checkPortNumber(body['port']));
}

/** A port's number or its name. */
export function checkPortReference(faults: Faults, path: string, port: unknown): void {
  if (typeof port === 'string') problems(faults, path, port, checkPortName(port));
  else problems(faults, path, port ?? 0, checkPortNumber(port));
}

/** Host ports of a pod may not collide among its containers. */
export function checkHostPorts(faults: Faults, path: string, containers: unknown): void {
  const seen = new Set<string>();
  for (const [container, at] of eachItem(faults, path, containers)) {
    for (const [port, portAt] of eachItem(faults, `${at}.ports`, container['ports'])) {
      const { hostPort, hostIP = '', protocol } = port;
      if (typeof hostPort !== 'number' || hostPort === 0 || hostPort > MAX_PORT) continue;
      const key = `${String(protocol)}/${String(hostIP)}/${hostPort}`;
      if (seen.has(key)) faults.push(duplicate(`${portAt}.hostPort`, key));
      seen.add(key);
    }
  }
}
