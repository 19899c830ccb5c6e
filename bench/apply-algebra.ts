/** How long server-side apply of a Deployment takes in memory: run with `node --conditions=source packages/api/bench/apply.ts`. */
import { schemaFor } from '@skerry/api/facts';
import { apply, trackUpdate } from '@skerry/api/patch';
import type { KubeObject } from '@skerry/api';

const schema = schemaFor({ group: 'apps', version: 'v1', kind: 'Deployment' });
if (schema === undefined) throw new Error('no schema of Deployment');

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
          env: [{ name: 'A', value: '1' }, { name: 'B', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }],
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
const live = JSON.stringify(trackUpdate({ before: created.object, after: withStatus, schema, manager: 'controller', subresource: 'status', now: 0 }));
const sent = [configuration(1, 'web:1'), configuration(2, 'web:2')].map((body) => JSON.stringify(body));

function measure(name: string, rounds: number, run: (round: number) => void): void {
  for (let round = 0; round < rounds / 4; round++) run(round);
  const start = performance.now();
  for (let round = 0; round < rounds; round++) run(round);
  const each = ((performance.now() - start) * 1000) / rounds;
  process.stdout.write(`${name}: ${each.toFixed(1)} µs\n`);
}

const parse = (text: string | undefined) => JSON.parse(text ?? '') as KubeObject;
measure('parse live and configuration (for comparison)', 20_000, () => [parse(live), parse(sent[0])]);
measure('apply, nothing changed, with parse', 20_000, () => apply({ live: parse(live), applied: parse(sent[0]), schema, manager: 'bench', now: 1000 }));
measure('apply, replicas and images changed, with parse', 20_000, () => apply({ live: parse(live), applied: parse(sent[1]), schema, manager: 'bench', now: 1000 }));
measure('update of one field, with parse', 20_000, () => {
  const before = parse(live);
  const after = parse(live);
  (after['spec'] as { replicas: number }).replicas = 7;
  trackUpdate({ before, after, schema, manager: 'scaler', now: 1000 });
});
measure('create tracked', 20_000, () => trackUpdate({ before: undefined, after: parse(sent[0]), schema, manager: 'create', now: 1000 }));
process.stdout.write(`${JSON.stringify(created.object.metadata.managedFields)}\n`);
