/** The pod that a Job makes. Pure. */
import type { Container, Job, Pod } from '@skerry/api/types';
import { podFromTemplate } from '../pod-template.ts';
import { COMPLETION_INDEX, INDEX_FAILURES, JOB, specOf, TRACKING } from './facts.ts';
import type { NewPod } from './plan.ts';

const INDEX_VARIABLE = 'JOB_COMPLETION_INDEX';
/** A generated name keeps room for its suffix. */
const MAX_BASE = 57;

export function jobPod(job: Job, { index, failures }: NewPod): Pod {
  const pod = podFromTemplate(specOf(job).template, job, JOB);
  const metadata = { ...pod.metadata, finalizers: [...(pod.metadata.finalizers ?? []), TRACKING] };
  const spec = pod.spec ?? { containers: [] };
  if (index === undefined) return { ...pod, metadata, spec };
  const name = `${job.metadata.name}-${index}`;
  return {
    ...pod,
    metadata: {
      ...metadata,
      generateName: `${name.slice(0, MAX_BASE)}-`,
      labels: { ...metadata.labels, [COMPLETION_INDEX]: `${index}` },
      annotations: {
        ...metadata.annotations,
        [COMPLETION_INDEX]: `${index}`,
        ...(failures === undefined ? {} : { [INDEX_FAILURES]: `${failures}` }),
      },
    },
    spec: {
      ...spec,
      hostname: name,
      containers: spec.containers.map(withIndex),
      ...(spec.initContainers === undefined ? {} : { initContainers: spec.initContainers.map(withIndex) }),
    },
  };
}

function withIndex(container: Container): Container {
  const env = container.env ?? [];
  if (env.some(({ name }) => name === INDEX_VARIABLE)) return container;
  const fieldRef = { fieldPath: `metadata.labels['${COMPLETION_INDEX}']` };
  return { ...container, env: [...env, { name: INDEX_VARIABLE, valueFrom: { fieldRef } }] };
}
