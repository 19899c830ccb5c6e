/** Defaults of what makes pods. */
import { isObject, type JsonObject, objectAt } from '../../json.ts';
import { all, type Defaulter, facts, fill, within } from './facts.ts';
import { podSpecDefaults } from './pod.ts';

const template = within('spec.template.spec', podSpecDefaults);

const volumeClaim = facts(
  ['apiVersion', 'v1'],
  ['kind', 'PersistentVolumeClaim'],
  ['spec.volumeMode', 'Filesystem'],
  ['status', {}],
  ['status.phase', 'Pending'],
);

const jobSpec: Defaulter = all(jobCounts, facts(['completionMode', 'NonIndexed'], ['suspend', false]), jobPolicies);

export const workloadDefaults: Readonly<Record<string, Defaulter>> = {
  'apps/Deployment': all(
    facts(
      ['spec.replicas', 1],
      ['spec.strategy', {}],
      ['spec.strategy.type', 'RollingUpdate'],
      ['spec.revisionHistoryLimit', 10],
      ['spec.progressDeadlineSeconds', 600],
    ),
    rolling('strategy', { maxUnavailable: '25%', maxSurge: '25%' }),
    template,
  ),
  'apps/ReplicaSet': all(facts(['spec.replicas', 1]), template),
  'apps/DaemonSet': all(
    facts(
      ['spec.updateStrategy', {}],
      ['spec.updateStrategy.type', 'RollingUpdate'],
      ['spec.revisionHistoryLimit', 10],
    ),
    rolling('updateStrategy', { maxUnavailable: 1, maxSurge: 0 }),
    template,
  ),
  'apps/StatefulSet': all(
    facts(
      ['spec.replicas', 1],
      ['spec.podManagementPolicy', 'OrderedReady'],
      ['spec.updateStrategy', {}],
      ['spec.updateStrategy.type', 'RollingUpdate'],
      ['spec.revisionHistoryLimit', 10],
      ['spec.persistentVolumeClaimRetentionPolicy', {}],
      ['spec.persistentVolumeClaimRetentionPolicy.whenDeleted', 'Retain'],
      ['spec.persistentVolumeClaimRetentionPolicy.whenScaled', 'Retain'],
    ),
    rolling('updateStrategy', { partition: 0 }),
    within('spec.volumeClaimTemplates[]', volumeClaim),
    template,
  ),
  'batch/Job': all(within('spec', jobSpec), jobLabels, template),
  'batch/CronJob': all(
    facts(
      ['spec.concurrencyPolicy', 'Allow'],
      ['spec.suspend', false],
      ['spec.successfulJobsHistoryLimit', 3],
      ['spec.failedJobsHistoryLimit', 1],
    ),
    within('spec.jobTemplate.spec.template.spec', podSpecDefaults),
  ),
  '/ReplicationController': all(facts(['spec.replicas', 1]), controllerLabels, template),
  '/PodTemplate': within('template.spec', podSpecDefaults),
};

/** The numbers of a rolling update, where that is the strategy. */
function rolling(field: string, numbers: Readonly<Record<string, unknown>>): Defaulter {
  return within(`spec.${field}`, (strategy) => {
    if (strategy['type'] !== 'RollingUpdate') return;
    fill(strategy, 'rollingUpdate', {});
    const { rollingUpdate } = strategy;
    if (isObject(rollingUpdate)) for (const [name, value] of Object.entries(numbers)) fill(rollingUpdate, name, value);
  });
}

/** A job that says neither how many nor how many at once runs one pod. */
function jobCounts(spec: JsonObject): void {
  if (spec['completions'] === undefined && spec['parallelism'] === undefined) spec['completions'] = 1;
  fill(spec, 'parallelism', 1);
}

function jobPolicies(spec: JsonObject): void {
  fill(spec, 'backoffLimit', spec['backoffLimitPerIndex'] === undefined ? 6 : 2 ** 31 - 1);
  fill(spec, 'podReplacementPolicy', spec['podFailurePolicy'] === undefined ? 'TerminatingOrFailed' : 'Failed');
}

function jobLabels(job: JsonObject): void {
  copyTemplateLabels(job);
}

function controllerLabels(controller: JsonObject): void {
  const labels = copyTemplateLabels(controller);
  if (isObject(controller['spec'])) fill(controller['spec'], 'selector', labels);
}

function copyTemplateLabels(object: JsonObject): JsonObject {
  const labels = objectAt(object, 'spec', 'template', 'metadata', 'labels');
  const { metadata } = object;
  if (isObject(metadata) && Object.keys(objectAt(metadata, 'labels')).length === 0 && Object.keys(labels).length > 0) {
    metadata['labels'] = { ...labels };
  }
  return labels;
}
