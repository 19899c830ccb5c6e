/** Schemas of custom kinds in the OpenAPI documents, and what kubectl makes of them. */
import assert from 'node:assert/strict';
import { ANYTHING, type Defined, define, specOf, version } from '../custom.ts';
import type { Lab } from '../lab.ts';
import { type Requirement, requirement } from '../requirement.ts';

const PUBLISH = '[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin]';
const BARS = { bars: { type: 'array', description: 'List of Bars and their specs.', items: bar() } };

export const PUBLISHED_SCHEMAS: readonly Requirement[] = [
  requirement(
    `${PUBLISH} works for CRD with validation schema`,
    'kubectl refuses unknown and lacking fields of a custom kind by its schema, and explains its fields',
    async (lab) => {
      const tide = await define(lab, { schema: specOf(BARS, { description: 'Specification of a Tide' }) });
      await isPublished(lab, tide, 'v1', true);
      await kubectlAccepts(lab, tide, { spec: { bars: [{ name: 'one', age: '10' }] } });
      await kubectlRefuses(lab, tide, { spec: { foo: true } }, /unknown field "spec\.foo"/);
      await kubectlRefuses(lab, tide, { spec: { bars: [{ age: '10' }] } }, /spec\.bars\[0\]\.name: Required value/);
      assert.match(await explain(lab, tide, '.spec'), /Specification of a Tide/);
      assert.match(await explain(lab, tide, '.spec.bars'), /List of Bars and their specs\./);
      assert.match(await explain(lab, tide, '.spec.bars.name'), /Name of Bar\./);
      const { code } = await lab.tryKubectl(['explain', `${tide.plural}.${tide.group}.spec.nonsense`]);
      assert.notEqual(code, 0);
    },
  ),
  requirement(
    `${PUBLISH} works for CRD without validation schema`,
    'a custom kind that keeps everything takes any field and is explained as an object',
    (lab) => keepsEverything(lab, ANYTHING, { anything: { nested: 1 } }),
  ),
  requirement(
    `${PUBLISH} works for CRD preserving unknown fields at the schema root`,
    'a schema that keeps unknown fields at its root takes any field there',
    (lab) => keepsEverything(lab, { ...specOf({}), 'x-kubernetes-preserve-unknown-fields': true }, { anything: 1 }),
  ),
  requirement(
    `${PUBLISH} works for CRD preserving unknown fields in an embedded object`,
    'a schema that keeps unknown fields inside takes any field there',
    (lab) => keepsEverything(lab, { type: 'object', properties: { spec: ANYTHING } }, { spec: { b: [{ c: 1 }] } }),
  ),
  requirement(
    `${PUBLISH} works for multiple CRDs of different groups`,
    'kinds of two groups are both published',
    (lab) => publishesBoth(lab, { group: `g${lab.id}.one.example.com` }, { group: `g${lab.id}.two.example.com` }),
  ),
  requirement(
    `${PUBLISH} works for multiple CRDs of same group but different versions`,
    'two versions of one kind are both published',
    async (lab) => {
      const versions = [version('v2', specOf(BARS)), version('v3', specOf(BARS), { storage: false })];
      const tide = await define(lab, { versions });
      for (const name of ['v2', 'v3']) await isPublished(lab, tide, name, true);
    },
  ),
  requirement(
    `${PUBLISH} works for multiple CRDs of same group and version but different kinds`,
    'two kinds of one group and version are both published',
    (lab) => publishesBoth(lab, { kind: 'Tide', plural: 'tides' }, { kind: 'Buoy', plural: 'buoys' }),
  ),
  requirement(
    `${PUBLISH} updates the published spec when one version gets renamed`,
    'the new name of a version is published, the old one no longer, and the other version as before',
    async (lab) => {
      const kept = version('v2', specOf(BARS));
      const tide = await define(lab, { versions: [kept, version('v3', specOf(BARS), { storage: false })] });
      for (const name of ['v2', 'v3']) await isPublished(lab, tide, name, true);
      await changeVersions(lab, tide, [kept, version('v4', specOf(BARS), { storage: false })]);
      await isPublished(lab, tide, 'v4', true);
      await isPublished(lab, tide, 'v3', false);
      await isPublished(lab, tide, 'v2', true);
    },
  ),
  requirement(
    `${PUBLISH} removes definition from spec when one version gets changed to not be served`,
    'a version that is no longer served is no longer published, and the other one as before',
    async (lab) => {
      const kept = version('v5', specOf(BARS));
      const tide = await define(lab, { versions: [kept, version('v6alpha1', specOf(BARS), { storage: false })] });
      for (const name of ['v5', 'v6alpha1']) await isPublished(lab, tide, name, true);
      const hidden = version('v6alpha1', specOf(BARS), { storage: false, served: false });
      await changeVersions(lab, tide, [kept, hidden]);
      await isPublished(lab, tide, 'v6alpha1', false);
      await isPublished(lab, tide, 'v5', true);
    },
  ),
];

function bar(): object {
  const name = { type: 'string', description: 'Name of Bar.' };
  return {
    type: 'object',
    required: ['name'],
    properties: { name, age: { type: 'string', description: 'Age of Bar.' } },
  };
}

async function publishesBoth(lab: Lab, one: object, other: object): Promise<void> {
  const defined = [
    await define(lab, { ...one, schema: specOf(BARS) }),
    await define(lab, { ...other, schema: ANYTHING }),
  ];
  for (const each of defined) await isPublished(lab, each, 'v1', true);
}

async function keepsEverything(lab: Lab, schema: object, content: object): Promise<void> {
  const tide = await define(lab, { schema });
  await isPublished(lab, tide, 'v1', true);
  await kubectlAccepts(lab, tide, content);
  assert.match(await explain(lab, tide, ''), new RegExp(`KIND: +${tide.kind}`));
}

async function changeVersions(lab: Lab, { definition }: Defined, versions: readonly object[]): Promise<void> {
  await lab.of('CustomResourceDefinition').change(definition.metadata.name ?? '', (changed) => {
    (changed as unknown as { spec: { versions: readonly object[] } }).spec.versions = versions;
  });
}

interface Document {
  readonly definitions?: Readonly<Record<string, Schema>>;
  readonly components?: { readonly schemas?: Readonly<Record<string, Schema>> };
}
interface Schema {
  readonly 'x-kubernetes-group-version-kind'?: readonly { group: string; version: string; kind: string }[];
}

/** In both documents, or in neither. */
async function isPublished(lab: Lab, tide: Defined, name: string, isExpected: boolean): Promise<void> {
  const { group, kind } = tide;
  const isKind = (schema: Schema) =>
    (schema['x-kubernetes-group-version-kind'] ?? []).some(
      (each) => each.group === group && each.version === name && each.kind === kind,
    );
  await lab.eventually(`${kind} of ${group}/${name} is ${isExpected ? '' : 'not '}published`, async () => {
    const { definitions = {} } = await lab.api.get<Document>('/openapi/v2');
    return Object.values(definitions).some(isKind) === isExpected;
  });
  await lab.eventually(`${kind} of ${group}/${name} is ${isExpected ? '' : 'not '}in version 3`, async () => {
    const { status, text } = await lab.api.ask({ path: `/openapi/v3/apis/${group}/${name}` });
    const schemas = status === 200 ? (JSON.parse(text) as Document).components?.schemas : undefined;
    return Object.values(schemas ?? {}).some(isKind) === isExpected;
  });
}

function manifest({ group, kind }: Defined, content: object): string {
  return JSON.stringify({ apiVersion: `${group}/v1`, kind, metadata: { name: 'one' }, ...content });
}

async function kubectlAccepts(lab: Lab, tide: Defined, content: object): Promise<void> {
  const input = manifest(tide, content);
  await lab.kubectl(['create', '-f', '-'], { input });
  await lab.kubectl(['delete', '-f', '-'], { input });
  await lab.kubectl(['apply', '-f', '-'], { input });
  await lab.kubectl(['delete', '-f', '-'], { input });
}

async function kubectlRefuses(lab: Lab, tide: Defined, content: object, why: RegExp): Promise<void> {
  for (const verb of ['create', 'apply']) {
    const { code, stderr } = await lab.tryKubectl([verb, '-f', '-'], { input: manifest(tide, content) });
    assert.equal(code, 1);
    assert.match(stderr, why);
  }
}

function explain(lab: Lab, { plural, group }: Defined, path: string): Promise<string> {
  return lab.kubectl(['explain', `${plural}.${group}${path}`]);
}
