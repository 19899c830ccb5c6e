/** Defaults of pods and of the pod templates in workloads. */
import { isObject, type JsonObject, objectAt, objectsAt } from '../../json.ts';
import { all, type Defaulter, facts, fill, within } from './facts.ts';

const probe = all(
  facts(['timeoutSeconds', 1], ['periodSeconds', 10], ['successThreshold', 1], ['failureThreshold', 3]),
  facts(['httpGet.path', '/'], ['httpGet.scheme', 'HTTP'], ['grpc.service', '']),
);

const hook = facts(['httpGet.path', '/'], ['httpGet.scheme', 'HTTP']);

const container = all(
  pullPolicy,
  facts(
    ['terminationMessagePath', '/dev/termination-log'],
    ['terminationMessagePolicy', 'File'],
    ['resources', {}],
    ['ports[].protocol', 'TCP'],
    ['env[].valueFrom.fieldRef.apiVersion', 'v1'],
  ),
  within('livenessProbe', probe),
  within('readinessProbe', probe),
  within('startupProbe', probe),
  within('lifecycle.postStart', hook),
  within('lifecycle.preStop', hook),
);

const volume = all(
  emptyDirVolume,
  facts(
    ['secret.defaultMode', 0o644],
    ['configMap.defaultMode', 0o644],
    ['downwardAPI.defaultMode', 0o644],
    ['downwardAPI.items[].fieldRef.apiVersion', 'v1'],
    ['projected.defaultMode', 0o644],
    ['projected.sources[].serviceAccountToken.expirationSeconds', 3600],
    ['projected.sources[].downwardAPI.items[].fieldRef.apiVersion', 'v1'],
    ['hostPath.type', ''],
    ['iscsi.iscsiInterface', 'default'],
    ['ephemeral.volumeClaimTemplate.spec.volumeMode', 'Filesystem'],
  ),
);

/** The spec of a pod or of a template. */
export const podSpecDefaults: Defaulter = all(
  facts(
    ['restartPolicy', 'Always'],
    ['dnsPolicy', 'ClusterFirst'],
    ['securityContext', {}],
    ['terminationGracePeriodSeconds', 30],
    ['schedulerName', 'default-scheduler'],
  ),
  serviceAccountAlias,
  within('containers[]', container),
  within('initContainers[]', container),
  within('ephemeralContainers[]', container),
  within('volumes[]', volume),
  hostNetworkPorts,
);

/** What is set on pods only, never in a template. */
export const podDefaults: Defaulter = within(
  'spec',
  all(
    podSpecDefaults,
    facts(['enableServiceLinks', true]),
    within('containers[]', requestsFromLimits),
    within('initContainers[]', requestsFromLimits),
  ),
);

/** A tag that moves is pulled each time; a pinned one only when it is missing. */
function pullPolicy(spec: JsonObject): void {
  if (spec['imagePullPolicy'] !== undefined) return;
  spec['imagePullPolicy'] = hasMovingTag(spec['image']) ? 'Always' : 'IfNotPresent';
}

function hasMovingTag(image: unknown): boolean {
  if (typeof image !== 'string' || image.includes('@')) return false;
  const name = image.slice(image.lastIndexOf('/') + 1);
  const colon = name.indexOf(':');
  return colon < 0 || name.slice(colon + 1) === 'latest';
}

/** `serviceAccount` is the old name of `serviceAccountName`; both are always the same. */
function serviceAccountAlias(spec: JsonObject): void {
  const name = spec['serviceAccountName'] || spec['serviceAccount'];
  if (typeof name !== 'string' || name === '') return;
  spec['serviceAccountName'] = name;
  spec['serviceAccount'] = name;
}

function emptyDirVolume(source: JsonObject): void {
  for (const name in source) if (name !== 'name' && source[name] !== null) return;
  source['emptyDir'] = {};
}

/** On the network of the host, a container's port is the host's. */
function hostNetworkPorts(spec: JsonObject): void {
  if (spec['hostNetwork'] !== true) return;
  for (const list of ['containers', 'initContainers']) {
    for (const item of objectsAt(spec, list)) {
      for (const port of objectsAt(item, 'ports')) {
        if (port['hostPort'] === undefined || port['hostPort'] === 0) port['hostPort'] = port['containerPort'];
      }
    }
  }
}

/** Who limits a resource requests it too. */
function requestsFromLimits(item: JsonObject): void {
  const { resources } = item;
  if (!isObject(resources) || !isObject(resources['limits'])) return;
  fill(resources, 'requests', {});
  const requests = objectAt(resources, 'requests');
  for (const [name, limit] of Object.entries(resources['limits'])) fill(requests, name, limit);
  if (Object.keys(requests).length === 0) delete resources['requests'];
}
