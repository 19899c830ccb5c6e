/** Server-side apply and field ownership of a Deployment in memory, JSON.parse included. */
import type { KubeObject } from '@skerry/api';
import { schemaFor } from '@skerry/api/facts';
import { apply, trackUpdate } from '@skerry/api/patch';
import { report } from './support/figures.ts';

const schema = schemaFor({ group: 'apps', version: 'v1', kind: 'Deployment' }) ?? {};

const configuration = (replicas: number, image: string): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'default', labels: { app: 'web', tier: 'front' } },
  spec: {
    replicas,
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' }, annotations: { 'example.com/a': 'b' } },
      spec: {
        containers: ['web', 'sidecar'].map((name) => ({
          name,
          image,
          ports: [{ containerPort: 80, name: `${name}-http` }],
          env: [
            { name: 'A', value: '1' },
            { name: 'B', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
          ],
          resources: { requests: { cpu: '100m', memory: '64Mi' }, limits: { memory: '128Mi' } },
          livenessProbe: { httpGet: { path: '/healthz', port: 80 } },
          volumeMounts: [{ name: 'config', mountPath: '/etc/config' }],
        })),
        volumes: [{ name: 'config', configMap: { name: 'web' } }],
      },
    },
  },
});

const created = apply({ live: undefined, applied: configuration(1, 'web:1'), schema, manager: 'bench', now: 0 });
if (created.object === undefined) throw new Error('conflict');
const withStatus = { ...created.object, status: { replicas: 1, conditions: [{ type: 'Available', status: 'True' }] } };
const live = JSON.stringify(
  trackUpdate({
    before: created.object,
    after: withStatus,
    schema,
    manager: 'controller',
    subresource: 'status',
    now: 0,
  }),
);
const sent = [configuration(1, 'web:1'), configuration(2, 'web:2')].map((body) => JSON.stringify(body));

const ROUNDS = 20_000;

/** Microseconds of one round, warmed up. */
function measure(run: () => unknown): number {
  for (let round = 0; round < ROUNDS / 4; round++) run();
  const start = performance.now();
  for (let round = 0; round < ROUNDS; round++) run();
  return Math.round(((performance.now() - start) * 10_000) / ROUNDS) / 10;
}

const parse = (text: string | undefined) => JSON.parse(text ?? '') as KubeObject;
const applyAgain = (text: string | undefined) =>
  apply({ live: parse(live), applied: parse(text), schema, manager: 'bench', now: 1000 });

function updateOne() {
  const before = parse(live);
  const after = parse(live);
  (after['spec'] as { replicas: number }).replicas = 7;
  return trackUpdate({ before, after, schema, manager: 'scaler', now: 1000 });
}

const parseOnly = measure(() => [parse(live), parse(sent[0])]);
const ofParsing = (name: string, value: number) =>
  report({ name, value, unit: 'µs', ratio: Math.round((10 * value) / parseOnly) / 10, of: 'JSON.parse alone' });

report({ name: 'JSON.parse of live and applied object', value: parseOnly, unit: 'µs' });
ofParsing(
  'apply without a change',
  measure(() => applyAgain(sent[0])),
);
ofParsing(
  'apply with a change',
  measure(() => applyAgain(sent[1])),
);
ofParsing('update of one field', measure(updateOne));
ofParsing(
  'create',
  measure(() => trackUpdate({ before: undefined, after: parse(sent[0]), schema, manager: 'create', now: 1000 })),
);
