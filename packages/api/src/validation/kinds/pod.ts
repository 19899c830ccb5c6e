/** Pods and pod templates. */
import { isObject, type JsonObject, objectAt } from '../../json.ts';
import { forbidden, invalid, required } from '../../walker/field-errors.ts';
import { checkDnsLabel, checkDnsSubdomain } from '../names.ts';
import { atLeast, eachItem, type Faults, isFull, oneOf, optionally, present, Unique, within } from './checks.ts';
import { type ContainerRole, checkContainer, checkHostPorts, type PodFacts } from './container.ts';
import { checkAnnotations, checkLabels } from './meta.ts';
import { checkAffinity, checkSpread, checkTolerations } from './scheduling.ts';
import { checkVolumes } from './volume.ts';

const RESTART_POLICIES = ['Always', 'OnFailure', 'Never'];
const DNS_POLICIES = ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None'];
const MAX_DEADLINE = 2 ** 31 - 1;
const SYSCTL = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/;
const MAX_SYSCTL_LENGTH = 253;

function checkPodSpec(faults: Faults, path: string, spec: JsonObject): void {
  const volumes = checkVolumes(faults, `${path}.volumes`, spec['volumes']);
  const emptyDirs = namesOfEmptyDirs(spec['volumes']);
  checkContainers(faults, path, spec, { volumes, emptyDirs, isHostNetwork: spec['hostNetwork'] === true });
  checkHostPorts(faults, `${path}.containers`, spec['containers']);
  oneOf(faults, `${path}.restartPolicy`, spec['restartPolicy'], RESTART_POLICIES, true);
  oneOf(faults, `${path}.dnsPolicy`, spec['dnsPolicy'], DNS_POLICIES, true);
  checkDnsConfig(faults, path, spec);
  checkSysctls(faults, `${path}.securityContext.sysctls`, objectAt(spec, 'securityContext')['sysctls']);
  within(faults, `${path}.activeDeadlineSeconds`, spec['activeDeadlineSeconds'], [1, MAX_DEADLINE]);
  atLeast(faults, `${path}.terminationGracePeriodSeconds`, spec['terminationGracePeriodSeconds'], 0);
  checkLabels(faults, `${path}.nodeSelector`, spec['nodeSelector']);
  for (const field of ['hostname', 'subdomain']) optionally(faults, `${path}.${field}`, spec[field], checkDnsLabel);
  for (const field of ['serviceAccountName', 'nodeName', 'priorityClassName', 'runtimeClassName']) {
    optionally(faults, `${path}.${field}`, spec[field], checkDnsSubdomain);
  }
  present(faults, `${path}.schedulerName`, spec['schedulerName']);
  checkTolerations(faults, `${path}.tolerations`, spec['tolerations']);
  checkAffinity(faults, `${path}.affinity`, objectAt(spec, 'affinity'));
  checkSpread(faults, `${path}.topologySpreadConstraints`, spec['topologySpreadConstraints']);
}

/** The template of a workload: labels and a spec whose pods restart as the workload wants. */
export function checkTemplate(
  faults: Faults,
  path: string,
  template: unknown,
  restartPolicies: readonly string[],
): void {
  if (!isObject(template)) {
    faults.push(required(path));
    return;
  }
  checkLabels(faults, `${path}.labels`, objectAt(template, 'metadata')['labels']);
  checkAnnotations(faults, `${path}.annotations`, objectAt(template, 'metadata')['annotations']);
  const spec = objectAt(template, 'spec');
  checkPodSpec(faults, `${path}.spec`, spec);
  for (const [, at] of eachItem(faults, `${path}.spec.ephemeralContainers`, spec['ephemeralContainers'])) {
    faults.push(forbidden(at, 'ephemeral containers not allowed in pod template'));
  }
  if (RESTART_POLICIES.includes(String(spec['restartPolicy']))) {
    oneOf(faults, `${path}.spec.restartPolicy`, spec['restartPolicy'], restartPolicies);
  }
}

function checkContainers(faults: Faults, path: string, spec: JsonObject, pod: PodFacts): void {
  const names = new Unique(faults);
  if (!Array.isArray(spec['containers']) || spec['containers'].length === 0)
    faults.push(required(`${path}.containers`));
  const each = (field: string, roleOf: (container: JsonObject) => ContainerRole) => {
    for (const [container, at] of eachItem(faults, `${path}.${field}`, spec[field])) {
      checkContainer(faults, at, container, pod, roleOf(container));
      if (typeof container['name'] === 'string') names.add(`${at}.name`, container['name']);
      if (isFull(faults)) return;
    }
  };
  each('containers', () => 'main');
  each('initContainers', (container) => (container['restartPolicy'] === 'Always' ? 'sidecar' : 'init'));
  each('ephemeralContainers', () => 'ephemeral');
}

function namesOfEmptyDirs(volumes: unknown): ReadonlySet<string> {
  const all = Array.isArray(volumes) ? volumes.filter(isObject) : [];
  return new Set(all.filter((volume) => isObject(volume['emptyDir'])).map((volume) => String(volume['name'])));
}

function checkDnsConfig(faults: Faults, path: string, { dnsPolicy, dnsConfig }: JsonObject): void {
  if (dnsPolicy !== 'None') return;
  if (!isObject(dnsConfig)) {
    faults.push(required(`${path}.dnsConfig`, 'must provide `dnsConfig` when `dnsPolicy` is None'));
    return;
  }
  const { nameservers } = dnsConfig;
  if (!Array.isArray(nameservers) || nameservers.length === 0) {
    faults.push(
      required(`${path}.dnsConfig.nameservers`, 'must provide at least one DNS nameserver when `dnsPolicy` is None'),
    );
  }
}

function checkSysctls(faults: Faults, path: string, sysctls: unknown): void {
  const names = new Unique(faults);
  for (const [{ name }, at] of eachItem(faults, path, sysctls)) {
    if (typeof name !== 'string' || name === '') {
      faults.push(required(`${at}.name`));
    } else if (name.length > MAX_SYSCTL_LENGTH || !SYSCTL.test(name)) {
      const text = `must have at most ${MAX_SYSCTL_LENGTH} characters and match regex ${SYSCTL.source}`;
      faults.push(invalid(`${at}.name`, name, text));
    } else names.add(`${at}.name`, name);
  }
}

export function checkPod(faults: Faults, pod: JsonObject): void {
  const spec = objectAt(pod, 'spec');
  checkPodSpec(faults, 'spec', spec);
}

export function checkPodCreate(faults: Faults, pod: JsonObject): void {
  const { ephemeralContainers } = objectAt(pod, 'spec');
  if (Array.isArray(ephemeralContainers) && ephemeralContainers.length > 0) {
    faults.push(forbidden('spec.ephemeralContainers', 'cannot be set on create'));
  }
}

export function checkDeadlineUpdate(faults: Faults, wanted: unknown, old: unknown): void {
  if (typeof old !== 'number') return;
  const path = 'spec.activeDeadlineSeconds';
  if (typeof wanted !== 'number')
    faults.push(invalid(path, wanted ?? null, 'must not update from a positive integer to nil value'));
  else if (wanted > old) faults.push(invalid(path, wanted, `must be less than or equal to previous value ${old}`));
}
