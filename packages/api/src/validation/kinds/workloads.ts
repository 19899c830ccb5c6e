/** Deployments, sets and jobs. */
import { isObject, type JsonObject, jsonEqual, objectAt, objectsAt, textAt } from '../../json.ts';
import { forbidden, invalid, notSupported, required } from '../../walker/field-errors.ts';
import { isTimeZone, parseCron } from '../cron-schedule.ts';
import { atLeast, countOrPercent, eachItem, type Faults, isZeroCount, oneOf } from './checks.ts';
import { checkTemplate } from './pod.ts';
import { immutable, type KindRules } from './rules.ts';
import { checkWorkloadSelector } from './selectors.ts';

const ALWAYS = ['Always'];
const ONCE = ['OnFailure', 'Never'];
const MAX_CRONJOB_NAME = 52;

export const workloadRules: Readonly<Record<string, KindRules>> = {
  'apps/Deployment': {
    check: (faults, object) => {
      const spec = checkReplicated(faults, object, 'deployment');
      checkStrategy(faults, 'spec.strategy', objectAt(spec, 'strategy'), ['Recreate', 'RollingUpdate']);
      atLeast(faults, 'spec.revisionHistoryLimit', spec['revisionHistoryLimit'], 0);
      atLeast(faults, 'spec.progressDeadlineSeconds', spec['progressDeadlineSeconds'], 0);
      const { progressDeadlineSeconds: deadline, minReadySeconds = 0 } = spec;
      if (typeof deadline === 'number' && deadline <= Number(minReadySeconds)) {
        faults.push(invalid('spec.progressDeadlineSeconds', deadline, 'must be greater than minReadySeconds'));
      }
    },
    update: immutable('spec.selector'),
  },
  '/ReplicationController': {
    check: (faults, object) => {
      const spec = objectAt(object, 'spec');
      const { selector } = spec;
      const labels = objectAt(spec, 'template', 'metadata', 'labels');
      if (!isObject(selector) || Object.keys(selector).length === 0) faults.push(required('spec.selector'));
      else if (Object.entries(selector).some(([key, value]) => labels[key] !== value)) {
        const text = '`selector` does not match template `labels`';
        faults.push(invalid('spec.template.metadata.labels', labels, text));
      }
      checkTemplate(faults, 'spec.template', spec['template'], ALWAYS);
      atLeast(faults, 'spec.minReadySeconds', spec['minReadySeconds'], 0);
      atLeast(faults, 'spec.replicas', spec['replicas'], 0);
    },
  },
  'apps/ReplicaSet': {
    check: (faults, object) => void checkReplicated(faults, object, 'replicaset'),
    update: immutable('spec.selector'),
  },
  'apps/DaemonSet': {
    check: (faults, object) => {
      const spec = checkTemplated(faults, object, 'daemonset');
      checkStrategy(faults, 'spec.updateStrategy', objectAt(spec, 'updateStrategy'), ['OnDelete', 'RollingUpdate']);
      atLeast(faults, 'spec.revisionHistoryLimit', spec['revisionHistoryLimit'], 0);
    },
    update: immutable('spec.selector'),
  },
  'apps/StatefulSet': {
    check: (faults, object) => {
      const spec = checkReplicated(faults, object, 'statefulset');
      oneOf(faults, 'spec.podManagementPolicy', spec['podManagementPolicy'], ['OrderedReady', 'Parallel'], true);
      oneOf(faults, 'spec.updateStrategy.type', objectAt(spec, 'updateStrategy')['type'], [
        'RollingUpdate',
        'OnDelete',
      ]);
      const rolling = objectAt(spec, 'updateStrategy', 'rollingUpdate');
      atLeast(faults, 'spec.updateStrategy.rollingUpdate.partition', rolling['partition'], 0);
      countOrPercent(faults, 'spec.updateStrategy.rollingUpdate.maxUnavailable', rolling['maxUnavailable']);
      atLeast(faults, 'spec.ordinals.start', objectAt(spec, 'ordinals')['start'], 0);
      atLeast(faults, 'spec.revisionHistoryLimit', spec['revisionHistoryLimit'], 0);
      const retention = objectAt(spec, 'persistentVolumeClaimRetentionPolicy');
      for (const when of ['whenDeleted', 'whenScaled']) {
        oneOf(faults, `spec.persistentVolumeClaimRetentionPolicy.${when}`, retention[when], ['Retain', 'Delete']);
      }
    },
    update: checkStatefulSetUpdate,
  },
  'apps/ControllerRevision': {
    check: (faults, revision) => {
      if (revision['data'] === undefined || revision['data'] === null)
        faults.push(required('data', 'data is mandatory'));
      atLeast(faults, 'revision', revision['revision'], 0);
    },
    update: immutable('data'),
  },
  'batch/Job': {
    check: (faults, job) => checkJobSpec(faults, 'spec', objectAt(job, 'spec')),
    update: checkJobUpdate,
  },
  'batch/CronJob': { check: checkCronJob },
};

function checkTemplated(faults: Faults, object: JsonObject, kind: string): JsonObject {
  const spec = objectAt(object, 'spec');
  checkWorkloadSelector(faults, spec, kind);
  checkTemplate(faults, 'spec.template', withClaims(spec), ALWAYS);
  atLeast(faults, 'spec.minReadySeconds', spec['minReadySeconds'], 0);
  return spec;
}

/** A stateful set's template with the volumes that its claims become, so that containers may mount them. */
function withClaims(spec: JsonObject): unknown {
  const { template } = spec;
  const names = objectsAt(spec, 'volumeClaimTemplates').map((claim) => textAt(claim, 'metadata', 'name'));
  if (names.length === 0 || !isObject(template)) return template;
  const podSpec = objectAt(template, 'spec');
  const volumes = objectsAt(podSpec, 'volumes');
  const claimed = names
    .filter((name) => name !== '' && !volumes.some((volume) => volume['name'] === name))
    .map((name) => ({ name, persistentVolumeClaim: { claimName: name } }));
  return { ...template, spec: { ...podSpec, volumes: [...volumes, ...claimed] } };
}

function checkReplicated(faults: Faults, object: JsonObject, kind: string): JsonObject {
  const spec = checkTemplated(faults, object, kind);
  atLeast(faults, 'spec.replicas', spec['replicas'], 0);
  return spec;
}

function checkStrategy(faults: Faults, path: string, strategy: JsonObject, types: readonly string[]): void {
  const { type, rollingUpdate } = strategy;
  oneOf(faults, `${path}.type`, type, types, true);
  if (type === 'Recreate' && isObject(rollingUpdate)) {
    faults.push(forbidden(`${path}.rollingUpdate`, "may not be specified when strategy `type` is 'Recreate'"));
  }
  if (type !== 'RollingUpdate') return;
  if (!isObject(rollingUpdate)) {
    faults.push(required(`${path}.rollingUpdate`, 'this should be defaulted and never be nil'));
    return;
  }
  const { maxUnavailable, maxSurge } = rollingUpdate;
  countOrPercent(faults, `${path}.rollingUpdate.maxUnavailable`, maxUnavailable);
  countOrPercent(faults, `${path}.rollingUpdate.maxSurge`, maxSurge);
  if (isZeroCount(maxUnavailable) && isZeroCount(maxSurge)) {
    faults.push(invalid(`${path}.rollingUpdate.maxUnavailable`, maxUnavailable, 'may not be 0 when `maxSurge` is 0'));
  }
}

const STATEFUL_MUTABLE = [
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
];

function checkStatefulSetUpdate(faults: Faults, object: JsonObject, old: JsonObject): void {
  const fixed = (of: JsonObject) =>
    Object.fromEntries(Object.entries(objectAt(of, 'spec')).filter(([name]) => !STATEFUL_MUTABLE.includes(name)));
  if (jsonEqual(fixed(object), fixed(old))) return;
  const [last, ...rest] = [...STATEFUL_MUTABLE].reverse();
  const names = rest.reverse().map((name) => `'${name}'`);
  faults.push(
    forbidden(
      'spec',
      `updates to statefulset spec for fields other than ${names.join(', ')} and '${last}' are forbidden`,
    ),
  );
}

function checkJobSpec(faults: Faults, path: string, spec: JsonObject): void {
  for (const field of [
    'parallelism',
    'completions',
    'backoffLimit',
    'activeDeadlineSeconds',
    'ttlSecondsAfterFinished',
    'backoffLimitPerIndex',
    'maxFailedIndexes',
  ]) {
    atLeast(faults, `${path}.${field}`, spec[field], 0);
  }
  checkJobPolicies(faults, path, spec);
  oneOf(faults, `${path}.completionMode`, spec['completionMode'], ['Indexed', 'NonIndexed']);
  if (spec['completionMode'] === 'Indexed' && spec['completions'] === undefined) {
    faults.push(required(`${path}.completions`, 'when completion mode is Indexed'));
  }
  checkTemplate(faults, `${path}.template`, spec['template'], ONCE);
}

/** Fields that mean something only where every pod has an index. */
const INDEXED_ONLY = ['backoffLimitPerIndex', 'maxFailedIndexes', 'successPolicy'];

function checkJobPolicies(faults: Faults, path: string, spec: JsonObject): void {
  const isIndexed = spec['completionMode'] === 'Indexed';
  for (const field of isIndexed ? [] : INDEXED_ONLY) {
    if (spec[field] !== undefined) {
      faults.push(invalid(`${path}.${field}`, spec[field], 'requires indexed completion mode'));
    }
  }
  if (spec['maxFailedIndexes'] !== undefined && spec['backoffLimitPerIndex'] === undefined) {
    faults.push(required(`${path}.backoffLimitPerIndex`, 'when maxFailedIndexes is specified'));
  }
  const { podReplacementPolicy: replacement, podFailurePolicy: failure } = spec;
  oneOf(faults, `${path}.podReplacementPolicy`, replacement, ['Failed', 'TerminatingOrFailed']);
  if (!isObject(failure)) return;
  if (textAt(spec, 'template', 'spec', 'restartPolicy') !== 'Never') {
    const policy = textAt(spec, 'template', 'spec', 'restartPolicy');
    const text = 'only "Never" is supported when podFailurePolicy is specified';
    faults.push(invalid(`${path}.template.spec.restartPolicy`, policy, text));
  }
  if (replacement === 'TerminatingOrFailed') {
    faults.push(notSupported(`${path}.podReplacementPolicy`, replacement, ['Failed']));
  }
  checkFailureRules(faults, `${path}.podFailurePolicy.rules`, failure['rules']);
}

function checkFailureRules(faults: Faults, path: string, rules: unknown): void {
  for (const [rule, at] of eachItem(faults, path, rules)) {
    oneOf(faults, `${at}.action`, rule['action'], ['Count', 'FailIndex', 'FailJob', 'Ignore'], true);
    const codes = rule['onExitCodes'];
    const hasConditions = Array.isArray(rule['onPodConditions']) && rule['onPodConditions'].length > 0;
    if (isObject(codes) === hasConditions) {
      faults.push(invalid(at, rule, 'specifying one of OnExitCodes and OnPodConditions is required'));
    }
    if (!isObject(codes)) continue;
    oneOf(faults, `${at}.onExitCodes.operator`, codes['operator'], ['In', 'NotIn'], true);
    const { values } = codes;
    if (!Array.isArray(values) || values.length === 0) {
      faults.push(invalid(`${at}.onExitCodes.values`, values ?? [], 'at least one value is required'));
    } else if (codes['operator'] === 'In' && values.includes(0)) {
      faults.push(invalid(`${at}.onExitCodes.values`, 0, 'must not be 0 for the In operator'));
    }
  }
}

function checkJobUpdate(faults: Faults, job: JsonObject, old: JsonObject): void {
  const isElastic = textAt(job, 'spec', 'completionMode') === 'Indexed';
  immutable(
    'spec.selector',
    'spec.completionMode',
    'spec.podFailurePolicy',
    'spec.backoffLimitPerIndex',
  )(faults, job, old);
  if (!isElastic) immutable('spec.completions')(faults, job, old);
  // A job that never started may still be told where its pods go.
  const isPending = objectAt(old, 'spec')['suspend'] === true && objectAt(old, 'status')['startTime'] === undefined;
  if (!isPending) immutable('spec.template')(faults, job, old);
}

function checkCronJob(faults: Faults, job: JsonObject): void {
  const spec = objectAt(job, 'spec');
  const name = textAt(job, 'metadata', 'name');
  if (name.length > MAX_CRONJOB_NAME) {
    faults.push(invalid('metadata.name', name, `must be no more than ${MAX_CRONJOB_NAME} characters`));
  }
  const { schedule } = spec;
  if (typeof schedule !== 'string' || schedule === '') faults.push(required('spec.schedule'));
  else if (parseCron(schedule) === undefined)
    faults.push(invalid('spec.schedule', schedule, 'not a valid cron schedule'));
  const { timeZone } = spec;
  if (typeof timeZone === 'string' && !isTimeZone(timeZone)) {
    faults.push(invalid('spec.timeZone', timeZone, `unknown time zone ${timeZone}`));
  }
  oneOf(faults, 'spec.concurrencyPolicy', spec['concurrencyPolicy'], ['Allow', 'Forbid', 'Replace'], true);
  for (const field of ['startingDeadlineSeconds', 'successfulJobsHistoryLimit', 'failedJobsHistoryLimit']) {
    atLeast(faults, `spec.${field}`, spec[field], 0);
  }
  const template = objectAt(spec, 'jobTemplate', 'spec');
  if (template['manualSelector'] === true) {
    const text = 'a cron job chooses the selectors of its jobs itself';
    faults.push(forbidden('spec.jobTemplate.spec.manualSelector', text));
  }
  checkJobSpec(faults, 'spec.jobTemplate.spec', template);
}
