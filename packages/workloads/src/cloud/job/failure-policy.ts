/** A Job's podFailurePolicy: what the way a pod failed means for the whole. Pure. */
import type { Job, Pod, PodFailurePolicyAction, PodFailurePolicyRule } from '@skerry/api/types';
import { specOf } from './facts.ts';

export interface FailureVerdict {
  readonly action: PodFailurePolicyAction;
  /** For the condition, when the action fails the job. */
  readonly message: string;
}

/** What the first matching rule says; a failure that no rule matches counts. */
export function judgeFailure(pod: Pod, job: Job): FailureVerdict {
  const rules = pod.status?.phase === 'Failed' ? (specOf(job).podFailurePolicy?.rules ?? []) : [];
  for (const [index, rule] of rules.entries()) {
    const cause = causeOf(rule, pod);
    if (cause === undefined) continue;
    const subject = `pod ${pod.metadata.namespace}/${pod.metadata.name}`;
    return { action: rule.action, message: `${cause(subject)} matching ${rule.action} rule at index ${index}` };
  }
  return { action: 'Count', message: '' };
}

type Cause = (subject: string) => string;

function causeOf(rule: PodFailurePolicyRule, pod: Pod): Cause | undefined {
  return rule.onExitCodes === undefined ? conditionCause(rule, pod) : exitCause(rule.onExitCodes, pod);
}

function exitCause(wanted: NonNullable<PodFailurePolicyRule['onExitCodes']>, { status }: Pod): Cause | undefined {
  const { containerName, operator, values } = wanted;
  const statuses = [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])];
  for (const { name, state } of statuses) {
    const code = state?.terminated?.exitCode;
    if (code === undefined || code === 0 || (containerName ?? name) !== name) continue;
    if (values.includes(code) === (operator === 'In'))
      return (subject) => `Container ${name} for ${subject} failed with exit code ${code}`;
  }
  return undefined;
}

function conditionCause({ onPodConditions = [] }: PodFailurePolicyRule, { status }: Pod): Cause | undefined {
  const found = onPodConditions.find((pattern) =>
    status?.conditions?.some(({ type, status }) => type === pattern.type && status === (pattern.status ?? 'True')),
  );
  return found === undefined ? undefined : (subject) => `${capital(subject)} has condition ${found.type}`;
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
