/** Pods and what makes them, small and quick to end. */
import type { Lab } from './lab.ts';

/** Runs until it is told to end, and then does so at once. */
export const IDLE = 'trap "exit 0" TERM; while :; do sleep 0.2; done';

export function podSpec(lab: Lab, script = IDLE): { containers: object[]; terminationGracePeriodSeconds: number } {
  const main = { name: 'main', image: lab.image, command: ['/bin/sh', '-c', script] };
  return { terminationGracePeriodSeconds: 1, containers: [main] };
}

function template(lab: Lab, labels: Readonly<Record<string, string>>, script?: string): object {
  return { metadata: { labels }, spec: podSpec(lab, script) };
}

/** Everything but apiVersion and kind of a ReplicationController. */
export function controller(lab: Lab, name: string, replicas: number): object {
  const labels = { app: name };
  return { metadata: { name, labels }, spec: { replicas, selector: labels, template: template(lab, labels) } };
}

/** Of a Deployment, ReplicaSet or, with `more`, a StatefulSet. */
export function replicated(lab: Lab, name: string, replicas: number, more: object = {}): object {
  const labels = { app: name };
  const selector = { matchLabels: labels };
  return { metadata: { name, labels }, spec: { replicas, selector, template: template(lab, labels), ...more } };
}
