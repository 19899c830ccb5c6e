/** Deployments, sets, jobs. */
import { at, type JsonObject, numberAt, objectsAt, textAt } from '../json.ts';
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

function autoscalerTargets(hpa: JsonObject): string {
  const metrics = objectsAt(hpa, 'spec', 'metrics');
  const current = objectsAt(hpa, 'status', 'currentMetrics');
  if (metrics.length === 0) return '<none>';
  return metrics
    .map((metric, index) => {
      const name = textAt(metric, 'resource', 'name');
      const wanted = at(metric, 'resource', 'target', 'averageUtilization');
      const found = at(current[index], 'resource', 'current', 'averageUtilization');
      const shown = found === undefined ? '<unknown>' : `${found}%`;
      return `${name === '' ? textAt(metric, 'type') : name}: ${shown}/${wanted === undefined ? '<auto>' : `${wanted}%`}`;
    })
    .join(', ');
}
