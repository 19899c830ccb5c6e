/** What the kubectl tables work on, as files in one folder. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { COUNTING, deployment, PROCESS, pod } from '@skerry/testkit/processes';

const CONFIG = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings' } };

const WIDGET_DEFINITION = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'widgets.shop.example.com' },
  spec: {
    group: 'shop.example.com',
    scope: 'Namespaced',
    names: { plural: 'widgets', singular: 'widget', kind: 'Widget', shortNames: ['wd'], categories: ['all'] },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {}, scale: { specReplicasPath: '.spec.size', statusReplicasPath: '.status.size' } },
        additionalPrinterColumns: [{ name: 'Size', type: 'integer', jsonPath: '.spec.size' }],
        schema: {
          openAPIV3Schema: {
            type: 'object',
            description: 'A thing that a shop sells.',
            properties: {
              spec: {
                type: 'object',
                required: ['size'],
                properties: {
                  size: { type: 'integer', minimum: 1, description: 'How large it is.' },
                  color: { type: 'string', default: 'blue', enum: ['blue', 'red'] },
                },
                'x-kubernetes-validations': [
                  { rule: "self.color != 'red' || self.size > 2", message: 'what is red is large' },
                ],
              },
              status: { type: 'object', properties: { size: { type: 'integer' } } },
            },
          },
        },
      },
    ],
  },
};

const SERVER = [
  '$s=IO::Socket::INET->new(LocalAddr=>"127.0.0.1",LocalPort=>$ARGV[0],Listen=>5,ReuseAddr=>1) or die;',
  'while($c=$s->accept){while(<$c>){last if /^\\r?\\n$/} print $c "HTTP/1.0 200 OK\\r\\n\\r\\nhello"; close $c}',
].join('');

/** Ends once with a failure, and from then on stays. */
const FAILS_ONCE =
  'if [ -e /state/tried ]; then echo second; exec sleep 600; fi; touch /state/tried; echo first; exit 1';
const STATE = { volumes: [{ name: 'state', emptyDir: {} }] };

/** Writes all manifests into the folder; `port` is one that is free on this machine. */
export function writeManifests(folder: string, port: number): void {
  const web = (replicas: number) => deployment(PROCESS, { name: 'web', replicas, script: COUNTING });
  const files: Readonly<Record<string, object>> = {
    'settings.json': { ...CONFIG, data: { color: 'red' } },
    'settings-blue.json': { ...CONFIG, data: { color: 'blue' } },
    'settings-unknown.json': { ...CONFIG, date: {} },
    'web.json': web(2),
    'web-3.json': web(3),
    'widgets.json': WIDGET_DEFINITION,
    'widget.json': widget({ size: 3 }),
    'widget-unknown.json': widget({ size: 3, bogus: 1 }),
    'fails-once.json': pod(PROCESS, {
      name: 'fails-once',
      script: FAILS_ONCE,
      spec: STATE,
      container: { volumeMounts: [{ name: 'state', mountPath: '/state' }] },
    }),
    'listener.json': pod(PROCESS, {
      name: 'listener',
      script: 'while read -r word; do echo "heard $word"; done; exec sleep 600',
      container: { stdin: true },
    }),
    'server.json': pod(PROCESS, { name: 'server', script: `exec perl -MIO::Socket::INET -e '${SERVER}' ${port}` }),
    'stubborn.json': pod(PROCESS, { name: 'stubborn', script: 'trap "" TERM; while :; do sleep 0.1; done' }),
    // A node that no agent stands behind: what is done to it disturbs no pod.
    'node.json': { apiVersion: 'v1', kind: 'Node', metadata: { name: 'paper', labels: { made: 'of-paper' } } },
    'daemon.json': daemon(),
  };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), JSON.stringify(content));
  const overlay = join(folder, 'overlay');
  mkdirSync(overlay, { recursive: true });
  writeFileSync(join(overlay, 'kustomization.yaml'), 'namePrefix: over-\nresources: [settings.json]\n');
  writeFileSync(join(overlay, 'settings.json'), JSON.stringify({ ...CONFIG, data: { color: 'green' } }));
}

function widget(spec: object): object {
  return { apiVersion: 'shop.example.com/v1', kind: 'Widget', metadata: { name: 'big' }, spec };
}

function daemon(): object {
  const { spec } = deployment(PROCESS, { name: 'daemon', script: COUNTING }) as { spec: { replicas?: number } };
  const { replicas: _, ...rest } = spec;
  return { apiVersion: 'apps/v1', kind: 'DaemonSet', metadata: { name: 'daemon' }, spec: rest };
}
