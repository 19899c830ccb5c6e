/** Definitions of custom kinds as objects, and defaults of their schemas. */
import assert from 'node:assert/strict';
import type { CustomResourceDefinition } from '@skerry/api/types';
import { define, established, specOf, version } from '../custom.ts';
import { absent, at, type Lab } from '../lab.ts';
import { type Entry, notYet, requirement } from '../requirement.ts';

const SIMPLE =
  '[sig-api-machinery] CustomResourceDefinition resources [Privileged:ClusterAdmin] Simple CustomResourceDefinition';
const RESOURCES = '[sig-api-machinery] CustomResourceDefinition resources [Privileged:ClusterAdmin]';

export const CUSTOM_RESOURCES: readonly Entry[] = [
  requirement(
    `${SIMPLE} creating/deleting custom resource definition objects works`,
    'a definition is created, established, and deleted with what it serves',
    async (lab) => {
      const { definition, objects } = await define(lab);
      await lab.of('CustomResourceDefinition').delete(definition.metadata.name ?? '');
      await lab.eventually('it is gone', async () => {
        return (await absent(lab.of('CustomResourceDefinition').get(definition.metadata.name ?? ''))).code === 404;
      });
      assert.equal((await lab.api.ask({ path: objects.path })).status, 404);
    },
  ),
  requirement(
    `${SIMPLE} listing custom resource definition objects works`,
    'definitions are listed by label and deleted as a collection',
    async (lab) => {
      const definitions = lab.of('CustomResourceDefinition');
      for (const plural of ['tides', 'buoys', 'quays']) await define(lab, { plural, kind: plural.toUpperCase() });
      const labelSelector = `suite=${lab.id}`;
      assert.equal((await definitions.list({ labelSelector })).items.length, 3);
      await definitions.deleteAll(labelSelector);
      await lab.eventually('all are gone', async () => (await definitions.list({ labelSelector })).items.length === 0);
    },
  ),
  requirement(
    `${SIMPLE} getting/updating/patching custom resource definition status sub-resource works`,
    "a definition's status is read, replaced and patched through /status",
    changesStatus,
  ),
  requirement(
    `${RESOURCES} should include custom resource definition resources in discovery documents`,
    'apiextensions.k8s.io/v1 and its customresourcedefinitions are in every discovery document',
    isDiscovered,
  ),
  notYet(
    'defaults are not filled in for what was stored before they came',
    requirement(
      `${RESOURCES} custom resource defaulting for requests and from storage works`,
      'defaults of the schema are filled in for what is written, and for what was stored before them when it is read',
      defaults,
    ),
  ),
  requirement(
    '[sig-api-machinery] CustomResourceDefinition Watch [Privileged:ClusterAdmin] CustomResourceDefinition Watch watch on custom resource definition objects',
    'a watch of custom objects sees each one added, changed and deleted, with its own content',
    watches,
  ),
];

async function changesStatus(lab: Lab): Promise<void> {
  const definitions = lab.of('CustomResourceDefinition');
  const name = (await define(lab)).definition.metadata.name ?? '';
  const read = (await definitions.get(name, 'status')) as CustomResourceDefinition;
  assert.ok(read.status?.conditions?.some(({ type, status }) => type === 'Established' && status === 'True'));
  const condition = { type: 'StatusUpdate', status: 'True', reason: 'Case', message: 'by the suite' };
  const updated = await definitions.change(
    name,
    (definition) => {
      const { status } = definition as CustomResourceDefinition;
      definition['status'] = { ...status, conditions: [...(status?.conditions ?? []), condition] };
    },
    'status',
  );
  assert.ok(conditionTypes(updated).includes('StatusUpdate'));
  const patch = {
    metadata: { annotations: { patched: 'yes' } },
    status: { conditions: [{ ...condition, type: 'StatusPatched' }] },
  };
  const patched = await definitions.patch(name, patch, 'merge', 'status');
  assert.ok(conditionTypes(patched).includes('StatusPatched'));
}

function conditionTypes(definition: unknown): readonly unknown[] {
  return ((at(definition, 'status.conditions') ?? []) as { type: string }[]).map(({ type }) => type);
}

async function isDiscovered(lab: Lab): Promise<void> {
  interface Group {
    readonly name: string;
    readonly versions: readonly { readonly version: string }[];
  }
  const { groups } = await lab.api.get<{ groups: Group[] }>('/apis');
  const extensions = groups.find(({ name }) => name === 'apiextensions.k8s.io');
  assert.ok(extensions?.versions.some(({ version }) => version === 'v1'));
  const group = await lab.api.get<Group>('/apis/apiextensions.k8s.io');
  assert.ok(group.versions.some(({ version }) => version === 'v1'));
  const { resources } = await lab.api.get<{ resources: { name: string }[] }>('/apis/apiextensions.k8s.io/v1');
  assert.ok(resources.some(({ name }) => name === 'customresourcedefinitions'));
}

async function defaults(lab: Lab): Promise<void> {
  const { definition, objects } = await define(lab, { schema: specOf({ a: { type: 'string' } }) });
  await objects.create({ metadata: { name: 'before' }, spec: { a: 'own' } });
  const name = definition.metadata.name ?? '';
  const schema = specOf({ a: { type: 'string', default: 'A' }, b: { type: 'string', default: 'B' } });
  await lab.of('CustomResourceDefinition').change(name, (changed) => {
    (changed as unknown as { spec: { versions: object[] } }).spec.versions = [version('v1', schema)];
  });
  await established(lab, name);
  await lab.eventually('new objects have the defaults', async () => {
    const made = await objects.create({ metadata: { generateName: 'after-' }, spec: {} });
    return JSON.stringify(made['spec']) === JSON.stringify({ a: 'A', b: 'B' });
  });
  assert.deepEqual((await objects.get('before'))['spec'], { a: 'own', b: 'B' });
  const listed = (await objects.list()).items.find(({ metadata }) => metadata.name === 'before');
  assert.deepEqual(listed?.['spec'], { a: 'own', b: 'B' });
  const patched = await objects.patch('before', { metadata: { labels: { patched: 'yes' } } });
  assert.deepEqual(patched['spec'], { a: 'own', b: 'B' });
}

async function watches(lab: Lab): Promise<void> {
  const { objects } = await define(lab);
  using watch = await objects.watch();
  for (const name of ['one', 'two']) {
    await objects.create({ metadata: { name }, content: { key: name } });
    const added = await watch.see('ADDED', name);
    assert.deepEqual(added.object['content'], { key: name });
    await objects.patch(name, { content: { key: 'patched' } });
    const modified = await watch.see('MODIFIED', name);
    assert.deepEqual(modified.object['content'], { key: 'patched' });
  }
  for (const name of ['one', 'two']) {
    await objects.delete(name);
    await watch.see('DELETED', name);
  }
}
