/** Deployments, sets, jobs. */
import { at, type JsonObject, numberAt, objectAt, objectsAt, textAt } from '../json.ts';
import { ageOf, humanDuration } from './duration.ts';
import {
  AGE,
  column,
  containerImages,
  containerNames,
  integer,
  labelsText,
  NAME,
  number,
  type Printer,
  printer,
  text,
  workloadColumns,
} from './printer.ts';

export const workloadPrinters: Readonly<Record<string, Printer>> = {
  'apps/Deployment': printer(
    NAME,
    column('Ready', readyOfDesired),
    column('Up-to-date', number('status.updatedReplicas')),
    column('Available', number('status.availableReplicas')),
    AGE,
    ...workloadColumns(),
  ),
  'apps/ReplicaSet': replicaCounts(),
  '/ReplicationController': replicaCounts(),
  'apps/DaemonSet': printer(
    NAME,
    integer('Desired', number('status.desiredNumberScheduled')),
    integer('Current', number('status.currentNumberScheduled')),
    integer('Ready', number('status.numberReady')),
    integer('Up-to-date', number('status.updatedNumberScheduled')),
    integer('Available', number('status.numberAvailable')),
    column('Node Selector', labelsText('spec.template.spec.nodeSelector')),
    AGE,
    ...workloadColumns(),
  ),
  'apps/StatefulSet': printer(NAME, column('Ready', readyOfDesired), AGE, containerNames(), containerImages()),
  'apps/ControllerRevision': printer(
    NAME,
    column('Controller', controllerOf),
    integer('Revision', number('revision')),
    AGE,
  ),
  'batch/Job': printer(
    NAME,
    column('Status', jobStatus),
    column('Completions', jobCompletions),
    column('Duration', jobDuration),
    AGE,
    ...workloadColumns(),
  ),
  'batch/CronJob': printer(
    NAME,
    column('Schedule', text('spec.schedule')),
    column('Timezone', text('spec.timeZone', '<none>')),
    column('Suspend', (job) => (at(job, 'spec', 'suspend') === true ? 'True' : 'False')),
    integer('Active', (job) => objectsAt(job, 'status', 'active').length),
    column('Last Schedule', (job, now) => {
      const last = at(job, 'status', 'lastScheduleTime');
      return last === undefined ? '<none>' : ageOf(last, now);
    }),
    AGE,
    ...workloadColumns('spec.jobTemplate.spec.template.spec'),
  ),
  'autoscaling/HorizontalPodAutoscaler': printer(
    NAME,
    column(
      'Reference',
      (hpa) => `${textAt(hpa, 'spec', 'scaleTargetRef', 'kind')}/${textAt(hpa, 'spec', 'scaleTargetRef', 'name')}`,
    ),
    column('Targets', autoscalerTargets),
    column('MinPods', text('spec.minReplicas', '<unset>')),
    integer('MaxPods', number('spec.maxReplicas')),
    integer('Replicas', number('status.currentReplicas')),
    AGE,
  ),
  'policy/PodDisruptionBudget': printer(
    NAME,
    column('Min Available', text('spec.minAvailable', 'N/A')),
    column('Max Unavailable', text('spec.maxUnavailable', 'N/A')),
    integer('Allowed Disruptions', number('status.disruptionsAllowed')),
    AGE,
  ),
};

function replicaCounts(): Printer {
  return printer(
    NAME,
    integer('Desired', number('spec.replicas')),
    integer('Current', number('status.replicas')),
    integer('Ready', number('status.readyReplicas')),
    AGE,
    ...workloadColumns(),
  );
}

function readyOfDesired(object: JsonObject): string {
  return `${numberAt(object, 'status', 'readyReplicas')}/${numberAt(object, 'spec', 'replicas')}`;
}

/** `deployment.apps/web`, the owner that controls a revision. */
function controllerOf(revision: JsonObject): string {
  const owner = objectsAt(revision, 'metadata', 'ownerReferences').find(
    (reference) => reference['controller'] === true,
  );
  if (owner === undefined) return '<none>';
  const [group] = textAt(owner, 'apiVersion').split('/').reverse().slice(1);
  const kind = textAt(owner, 'kind').toLowerCase();
  return `${group === undefined ? kind : `${kind}.${group}`}/${textAt(owner, 'name')}`;
}

function hasCondition(object: JsonObject, type: string): boolean {
  return objectsAt(object, 'status', 'conditions').some(
    (condition) => condition['type'] === type && condition['status'] === 'True',
  );
}

function jobStatus(job: JsonObject): string {
  if (hasCondition(job, 'Complete')) return 'Complete';
  if (hasCondition(job, 'Failed')) return 'Failed';
  if (at(job, 'metadata', 'deletionTimestamp') !== undefined) return 'Terminating';
  if (hasCondition(job, 'Suspended')) return 'Suspended';
  if (hasCondition(job, 'FailureTarget')) return 'FailureTarget';
  return hasCondition(job, 'SuccessCriteriaMet') ? 'SuccessCriteriaMet' : 'Running';
}

function jobCompletions(job: JsonObject): string {
  const succeeded = numberAt(job, 'status', 'succeeded');
  const wanted = at(job, 'spec', 'completions');
  if (typeof wanted === 'number') return `${succeeded}/${wanted}`;
  const parallelism = numberAt(job, 'spec', 'parallelism');
  return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`;
}

function jobDuration(job: JsonObject, now: number): string {
  const start = Date.parse(textAt(job, 'status', 'startTime'));
  if (Number.isNaN(start)) return '';
  const end = Date.parse(textAt(job, 'status', 'completionTime'));
  return humanDuration((Number.isNaN(end) ? now : end) - start);
}

/** `cpu: 12%/80%, memory: <unknown>/1Gi`; v1 knows of the processor alone. */
function autoscalerTargets(hpa: JsonObject): string {
  const metrics = objectsAt(hpa, 'spec', 'metrics');
  const current = objectsAt(hpa, 'status', 'currentMetrics');
  const ofV1 = amount({ averageUtilization: at(hpa, 'spec', 'targetCPUUtilizationPercentage') });
  if (metrics.length === 0 && ofV1 === undefined) return '<none>';
  if (metrics.length === 0) {
    const reached = amount({ averageUtilization: at(hpa, 'status', 'currentCPUUtilizationPercentage') });
    return `cpu: ${reached ?? '<unknown>'}/${ofV1}`;
  }
  return metrics
    .map((metric) => {
      const { name, source, field } = metricOf(metric);
      const found = current.map(metricOf).find((one) => one.field === field && one.name === name);
      const wanted = amount(objectAt(source, 'target')) ?? '<auto>';
      return `${name}: ${found === undefined ? '<unknown>' : reachedOf(source, found.source)}/${wanted}`;
    })
    .join(', ');
}

/** In the unit of what is wanted. */
function reachedOf(wanted: JsonObject, found: JsonObject): string {
  const current = objectAt(found, 'current');
  const isPercent = at(wanted, 'target', 'averageUtilization') !== undefined;
  const { averageUtilization: percent, ...values } = current;
  return amount(isPercent ? { averageUtilization: percent } : values) ?? '<unknown>';
}

function metricOf(metric: JsonObject): { name: string; source: JsonObject; field: string } {
  const type = textAt(metric, 'type');
  const field = `${type.charAt(0).toLowerCase()}${type.slice(1)}`;
  const source = objectAt(metric, field);
  const name = textAt(source, 'name') || textAt(source, 'metric', 'name') || type;
  const container = textAt(source, 'container');
  return { name: container === '' ? name : `${name} of ${container}`, source, field };
}

function amount({ averageUtilization, averageValue, value }: JsonObject): string | undefined {
  if (averageUtilization !== undefined) return `${String(averageUtilization)}%`;
  const absolute = averageValue ?? value;
  return absolute === undefined ? undefined : String(absolute);
}
