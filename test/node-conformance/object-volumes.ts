/** Volumes made of ConfigMaps and Secrets, alone and projected. */
import assert from 'node:assert/strict';
import type { KeyToPath } from '@skerry/api/types';
import { isOver, type Lab, mounted, type Requirement, type Source, waitingFor } from './lab.ts';

interface Wish {
  readonly items?: KeyToPath[];
  readonly optional?: boolean;
  readonly defaultMode?: number;
}

/** The four ways to see keys of an object as files. */
interface Keyed {
  readonly title: string;
  readonly kind: 'ConfigMap' | 'Secret';
  readonly source: (name: string, wish?: Wish) => Source;
}

const KEYED: readonly Keyed[] = [
  { title: 'a ConfigMap volume', kind: 'ConfigMap', source: (name, wish = {}) => ({ configMap: { name, ...wish } }) },
  {
    title: 'a Secret volume',
    kind: 'Secret',
    source: (secretName, wish = {}) => ({ secret: { secretName, ...wish } }),
  },
  {
    title: 'a projected ConfigMap',
    kind: 'ConfigMap',
    source: (name, { defaultMode = 0o644, ...wish } = {}) => ({
      projected: { defaultMode, sources: [{ configMap: { name, ...wish } }] },
    }),
  },
  {
    title: 'a projected Secret',
    kind: 'Secret',
    source: (name, { defaultMode = 0o644, ...wish } = {}) => ({
      projected: { defaultMode, sources: [{ secret: { name, ...wish } }] },
    }),
  },
];

function make(lab: Lab, { kind }: Keyed, name: string, data: Record<string, string>) {
  return kind === 'ConfigMap' ? lab.configMap(name, data) : lab.secret(name, data);
}

function change(lab: Lab, { kind }: Keyed, name: string, data: Record<string, string>) {
  return lab.change(kind, name, kind === 'ConfigMap' ? { data } : { stringData: data });
}

const MODES = 'for f in /v/*; do stat -Lc "%n %A" $f; cat $f; echo; done';
const DATA = { 'data-1': 'value-1', 'data-2': 'value-2' };

function keyed(one: Keyed): readonly Requirement[] {
  const { title, kind, source } = one;
  return [
    {
      states: `${title} shows each key as a file, readable by all unless it says otherwise`,
      check: async (lab) => {
        await make(lab, one, 'o', DATA);
        const lines = ['/v/data-1 -rw-r--r--', 'value-1', '/v/data-2 -rw-r--r--', 'value-2'];
        await lab.says(mounted(source('o'), { script: MODES }), lines);
      },
    },
    {
      states: `${title} gives its files the mode it is told`,
      check: async (lab) => {
        await make(lab, one, 'o', DATA);
        const lines = ['/v/data-1 -r--------', 'value-1', '/v/data-2 -r--------', 'value-2'];
        await lab.says(mounted(source('o', { defaultMode: 0o400 }), { script: MODES }), lines);
      },
    },
    {
      states: `${title} maps keys to paths, each with its own mode, and leaves the others out`,
      check: async (lab) => {
        await make(lab, one, 'o', DATA);
        const items = [{ key: 'data-1', path: 'path/to/data', mode: 0o400 }];
        await lab.says(
          mounted(source('o', { items }), { script: 'stat -Lc %A /v/path/to/data; cat /v/path/to/data; echo; ls /v' }),
          ['-r--------', 'value-1', 'path'],
        );
      },
    },
    {
      states: `${title} is for a user who is not root, too, by the group of the pod`,
      check: async (lab) => {
        await make(lab, one, 'o', { key: 'value' });
        const spec = { securityContext: { runAsUser: 1000, fsGroup: 1001 } };
        const script = 'stat -Lc "%A %g" /v/key; id -u; cat /v/key';
        await lab.says(mounted(source('o', { defaultMode: 0o440 }), { spec, script }), [
          '-r--r----- 1001',
          '1000',
          'value',
        ]);
      },
    },
    {
      states: `${title} follows its object, key by key`,
      check: async (lab) => {
        await make(lab, one, 'o', DATA);
        const script = `until [ "$(cat /v/data-1)" = new ] && [ ! -e /v/data-2 ] && [ -e /v/data-3 ]; do sleep 0.1; done; ls /v`;
        const running = lab.says(mounted(source('o'), { script }), ['data-1', 'data-3']);
        await lab.until('it runs', ({ status }) => status?.phase === 'Running');
        await lab.change(kind, 'o', { data: { 'data-2': null } });
        await change(lab, one, 'o', { 'data-1': 'new', 'data-3': 'more' });
        await running;
      },
    },
    {
      states: `${title} that is optional appears and disappears with its object`,
      check: async (lab) => {
        const script =
          'until [ -e /v/key ]; do sleep 0.1; done; cat /v/key; echo; until [ ! -e /v/key ]; do sleep 0.1; done';
        const running = lab.says(mounted(source('o', { optional: true }), { script }), ['value']);
        await lab.until('it runs', ({ status }) => status?.phase === 'Running');
        await make(lab, one, 'o', { key: 'value' });
        await lab.hears('value');
        await lab.remove(kind, 'o');
        await running;
      },
    },
    {
      states: `a pod waits for the object of ${title}, and says so`,
      check: async (lab) => {
        const plan = mounted(source('late'), { script: 'cat /v/key' });
        await lab.create(plan);
        await lab.hasEvent(
          new RegExp(`FailedMount: MountVolume.SetUp failed for volume "v" : ${kind.toLowerCase()} "late" not found`),
        );
        assert.equal(waitingFor(await lab.get()), 'ContainerCreating');
        await make(lab, one, 'late', { key: 'value' });
        const pod = await lab.until('it has ended', isOver);
        assert.deepEqual(await lab.lines(pod), ['value']);
      },
    },
    {
      states: `a key that ${title} wants and its object lacks holds the pod back`,
      check: async (lab) => {
        await make(lab, one, 'o', { key: 'value' });
        await lab.create(mounted(source('o', { items: [{ key: 'no', path: 'no' }] })));
        await lab.hasEvent(/FailedMount: .*references non-existent .* key/);
      },
    },
    {
      states: `${title} can be seen twice in one pod`,
      check: async (lab) => {
        await make(lab, one, 'o', { key: 'value' });
        const volumes = ['a', 'b'].map((name) => ({ name, ...source('o') }));
        const volumeMounts = ['a', 'b'].map((name) => ({ name, mountPath: `/v/${name}`, readOnly: true }));
        const script = 'cat /v/a/key; echo; cat /v/b/key; echo; touch /v/a/x 2>/dev/null || echo no';
        await lab.says({ spec: { volumes }, container: { volumeMounts }, script }, ['value', 'value', 'no']);
      },
    },
  ];
}

const OF_OBJECTS: readonly Requirement[] = [
  {
    states: 'binary data of a ConfigMap is a file byte by byte',
    check: async (lab) => {
      const bytes = Buffer.from([0xde, 0xca, 0xfe, 0x00, 0xba, 0xd0]);
      await lab.make({ ...binaryConfig(), binaryData: { dump: bytes.toString('base64') } });
      await lab.says(
        mounted({ configMap: { name: 'o' } }, { script: 'od -An -tx1 /v/dump | tr -d " "; cat /v/text' }),
        ['decafe00bad0', 'plain'],
      );
    },
  },
  {
    states: 'an immutable ConfigMap or Secret cannot be changed, only deleted',
    on: 'process',
    check: async (lab) => {
      await lab.make({ ...binaryConfig(), immutable: true });
      await assert.rejects(
        lab.change('ConfigMap', 'o', { data: { text: 'new' } }),
        /field is immutable when `immutable` is set/,
      );
      await lab.remove('ConfigMap', 'o');
      const secret = {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 's' },
        stringData: { k: 'v' },
        immutable: true,
      };
      await lab.make(secret);
      await assert.rejects(
        lab.change('Secret', 's', { stringData: { k: 'w' } }),
        /field is immutable when `immutable` is set/,
      );
    },
  },
  {
    states: 'a Secret of one namespace is not that of another',
    check: async (lab) => {
      await lab.client
        .create(
          { group: '', version: 'v1', resource: 'secrets' },
          {
            apiVersion: 'v1',
            kind: 'Secret',
            metadata: { name: 'o', namespace: 'default', generateName: '' },
            stringData: { key: 'other' },
          },
        )
        .catch(() => {});
      await lab.secret('o', { key: 'mine' });
      await lab.says(mounted({ secret: { secretName: 'o' } }, { script: 'cat /v/key' }), ['mine']);
    },
  },
  {
    states: 'a projected volume joins ConfigMaps, Secrets and what the pod knows of itself',
    check: async (lab) => {
      await lab.configMap('o', { config: 'c' });
      await lab.secret('o', { secret: 's' });
      const sources = [
        { configMap: { name: 'o' } },
        { secret: { name: 'o' } },
        { downwardAPI: { items: [{ path: 'name', fieldRef: { fieldPath: 'metadata.name' } }] } },
      ];
      const script = 'for f in /v/*; do echo $f $(cat $f); done';
      await lab.says(mounted({ projected: { sources } }, { script }), ['/v/config c', '/v/name pod', '/v/secret s']);
    },
  },
];

function binaryConfig() {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'o' }, data: { text: 'plain' } };
}

/** Projected or not is the same to every runtime. */
const OF_KEYS = KEYED.flatMap((one) =>
  keyed(one).map((each) => (one.title.includes('projected') ? { ...each, on: 'containerd' as const } : each)),
);

export const OBJECT_VOLUMES: readonly Requirement[] = [...OF_KEYS, ...OF_OBJECTS];
