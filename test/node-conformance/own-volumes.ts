/** Volumes that tell a pod of itself: names, labels, resources, its account's tokens. */
import assert from 'node:assert/strict';
import type { Node, Volume } from '@skerry/api/types';
import { type Lab, mounted, type Requirement, type Source } from './lab.ts';

const item = (path: string, fieldPath: string, mode?: number) => ({
  path,
  fieldRef: { fieldPath },
  ...(mode === undefined ? {} : { mode }),
});
const amount = (path: string, resource: string, divisor = '1') => ({
  path,
  resourceFieldRef: { containerName: 'main', resource, divisor },
});

const DOWNWARD: readonly Requirement[] = (['downwardAPI', 'projected'] as const).flatMap((way) => {
  const source = (items: object[], defaultMode?: number): Source => {
    const mode = defaultMode === undefined ? {} : { defaultMode };
    const all = items as NonNullable<NonNullable<Volume['downwardAPI']>['items']>;
    return way === 'downwardAPI'
      ? { downwardAPI: { items: all, ...mode } }
      : { projected: { sources: [{ downwardAPI: { items: all } }], ...mode } };
  };
  const through = way === 'downwardAPI' ? 'a downwardAPI volume' : 'a projected downwardAPI';
  return [
    {
      states: `${through} tells names, with the modes it is told`,
      check: (lab: Lab) =>
        lab
          .says(
            mounted(source([item('name', 'metadata.name'), item('space', 'metadata.namespace', 0o440)], 0o400), {
              script: 'for f in /v/*; do stat -Lc %A $f; cat $f; echo; done',
            }),
            ['-r--------', 'pod', '-r--r-----', lab.namespace],
          )
          .then(() => {}),
    },
    {
      states: `${through} follows labels and annotations`,
      check: async (lab: Lab) => {
        const script =
          'cat /v/labels; echo; until grep -q two /v/labels && grep -q new /v/notes; do sleep 0.1; done; cat /v/labels /v/notes';
        const metadata = { labels: { key: 'one', a: 'b' } };
        const items = [item('labels', 'metadata.labels'), item('notes', 'metadata.annotations')];
        const running = lab.says(mounted(source(items), { script, metadata }), [
          'a="b"',
          'key="one"',
          'a="b"',
          'key="two"note="new"',
        ]);
        await lab.until('it runs', ({ status }) => status?.phase === 'Running');
        await lab.hears('key="one"');
        await lab.patch({ metadata: { labels: { key: 'two' }, annotations: { note: 'new' } } });
        await running;
      },
    },
    {
      states: `${through} tells limits and requests in the unit that is asked for`,
      check: async (lab: Lab) => {
        const items = [
          amount('cl', 'limits.cpu', '1m'),
          amount('cr', 'requests.cpu', '1m'),
          amount('ml', 'limits.memory', '1Mi'),
          amount('mr', 'requests.memory', '1Mi'),
        ];
        const resources = { limits: { cpu: '1250m', memory: '64Mi' }, requests: { cpu: '250m', memory: '32Mi' } };
        const script = 'for f in /v/*; do cat $f; echo; done';
        await lab.says(mounted(source(items), { script, container: { resources } }), ['1250', '250', '64', '32']);
      },
    },
    {
      states: `${through} tells what the node has where no limit is set`,
      check: async (lab: Lab) => {
        const { items } = await lab.client.list({ group: '', version: 'v1', resource: 'nodes' });
        const [node] = items as readonly Node[];
        const allocatable = node?.status?.allocatable ?? {};
        const script = 'for f in /v/*; do cat $f; echo; done';
        const memory = String(Number.parseInt(allocatable['memory'] ?? '', 10) * 1024);
        const wanted = [amount('c', 'limits.cpu'), amount('m', 'limits.memory')];
        await lab.says(mounted(source(wanted), { script }), [allocatable['cpu'] ?? '', memory]);
      },
    },
  ];
});

const ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

const TOKENS: readonly Requirement[] = [
  {
    states: 'a pod finds its account’s token, authority and namespace',
    check: async (lab) => {
      const script = `ls ${ACCOUNT}; cat ${ACCOUNT}/namespace; echo; head -n 1 ${ACCOUNT}/ca.crt; cut -d. -f2 ${ACCOUNT}/token | tr -d "\\n" | wc -c`;
      const { lines } = await lab.run({ script });
      assert.deepEqual(lines.slice(0, 5), [
        'ca.crt',
        'namespace',
        'token',
        lab.namespace,
        '-----BEGIN CERTIFICATE-----',
      ]);
      assert.ok(Number(lines[5]) > 100);
    },
  },
  {
    states: 'a pod that wants no token has none',
    check: async (lab) => {
      const { lines } = await lab.run({
        script: `ls ${ACCOUNT} 2>/dev/null || echo none`,
        spec: { automountServiceAccountToken: false },
      });
      assert.deepEqual(lines, ['none']);
    },
  },
  ...(
    [
      [{}, '-rw-r--r-- 0 0'],
      [{ runAsUser: 1000 }, '-rw------- 1000 0'],
      [{ fsGroup: 10_000 }, '-rw-r----- 0 10000'],
      [{ runAsUser: 1000, fsGroup: 10_000 }, '-rw-r----- 1000 10000'],
    ] as const
  ).map(
    ([securityContext, line]): Requirement => ({
      states: `a token is for its pod’s user alone: ${line} with ${JSON.stringify(securityContext)}`,
      on: 'containerd',
      check: async (lab) => {
        const script = `stat -Lc "%A %u %g" ${ACCOUNT}/token; cat ${ACCOUNT}/token > /dev/null && echo read`;
        await lab.says({ script, spec: { securityContext } }, [line, 'read']);
      },
    }),
  ),
  {
    states: 'a projected token has the audience and path it is asked for',
    check: async (lab) => {
      const sources = [{ serviceAccountToken: { path: 'deep/token', audience: 'vault', expirationSeconds: 600 } }];
      const { lines } = await lab.run(mounted({ projected: { sources } }, { script: 'cat /v/deep/token' }));
      const payload = Buffer.from(lines[0]?.split('.')[1] ?? '', 'base64url').toString();
      const { aud, sub, exp, iat } = JSON.parse(payload) as Record<string, unknown>;
      assert.deepEqual(aud, ['vault']);
      assert.equal(sub, `system:serviceaccount:${lab.namespace}:default`);
      assert.equal(Number(exp) - Number(iat), 600);
    },
  },
];

export const OWN_VOLUMES: readonly Requirement[] = [...DOWNWARD, ...TOKENS];
