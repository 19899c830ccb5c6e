/** Fields that nobody knows, and fields that stand twice, where the request wants to hear of them. */
import assert from 'node:assert/strict';
import { stringify } from 'yaml';
import type { Collection } from '../collection.ts';
import { ANYTHING, define, specOf } from '../custom.ts';
import { type Expected, type Lab, refused } from '../lab.ts';
import { type Requirement, requirement } from '../requirement.ts';
import { replicated } from '../workloads.ts';

const VALIDATION = '[sig-api-machinery] FieldValidation should';
const STRICT = { fieldValidation: 'Strict' };
const APPLY = 'application/apply-patch+yaml';

export const FIELD_VALIDATION: readonly Requirement[] = [
  requirement(
    `${VALIDATION} detect unknown and duplicate fields of a typed object`,
    'a Deployment with unknown and doubled fields is refused with all of them, when it is created and when it is applied',
    async (lab) => {
      const deployments = lab.of('Deployment');
      const good = JSON.stringify(deployments.whole(replicated(lab, 'deployment', 1)));
      const bad = good.replace('"spec":{', '"spec":{"unknownField":"foo","paused":true,"paused":false,');
      const message = /strict decoding error: [\s\S]*unknown field "spec\.unknownField"/;
      for (const request of [() => create(lab, deployments, bad), () => apply(lab, deployments, 'deployment', bad)]) {
        const status = await refused(request(), { code: 400, reason: 'BadRequest', message });
        assert.match(status.message ?? '', /duplicate field "spec\.paused"|key "paused" already set in map/);
      }
    },
  ),
  requirement(
    `${VALIDATION} detect unknown metadata fields of a typed object`,
    'unknown fields of the metadata of a Deployment and of its template are refused by name',
    async (lab) => {
      const deployments = lab.of('Deployment');
      const good = JSON.stringify(deployments.whole(replicated(lab, 'deployment', 1)));
      const bad = good
        .replace('"metadata":{', '"metadata":{"unknownMeta":"foo",')
        .replace('"template":{"metadata":{', '"template":{"metadata":{"unknownSubMeta":"bar",');
      for (const request of [() => create(lab, deployments, bad), () => apply(lab, deployments, 'deployment', bad)]) {
        const status = await refused(request(), strictly(/unknown field "metadata\.unknownMeta"/));
        assert.match(status.message ?? '', /unknown field "spec\.template\.metadata\.unknownSubMeta"/);
      }
    },
  ),
  requirement(
    `${VALIDATION} create/apply a valid CR for CRD with validation schema`,
    'a custom object that its schema knows whole is created and applied strictly',
    async (lab) => {
      const { objects } = await define(lab, {
        schema: specOf({ foo: { type: 'string' }, replicas: { type: 'integer' } }),
      });
      const one = (name: string) => objects.whole({ metadata: { name }, spec: { foo: 'foo1', replicas: 2 } });
      await create(lab, objects, JSON.stringify(one('created')));
      await apply(lab, objects, 'applied', stringify(one('applied')));
      assert.equal((await objects.list()).items.length, 2);
    },
  ),
  requirement(
    `${VALIDATION} create/apply a CR with unknown fields for CRD with no validation schema`,
    'a custom kind without a schema takes any field, strictly asked too',
    async (lab) => {
      const { objects } = await define(lab, { schema: ANYTHING });
      const one = (name: string) => objects.whole({ metadata: { name }, spec: { x: 'y' }, other: 1 });
      await create(lab, objects, JSON.stringify(one('created')));
      await apply(lab, objects, 'applied', stringify(one('applied')));
      assert.equal((await objects.list()).items.length, 2);
    },
  ),
  requirement(
    `${VALIDATION} create/apply an invalid CR with extra properties for CRD with validation schema`,
    'a field that the schema of a custom kind does not know is refused by name',
    async (lab) => {
      const { objects } = await define(lab, { schema: specOf({ foo: { type: 'string' } }) });
      const bad = objects.whole({ metadata: { name: 'one' }, spec: { foo: 'foo1', extraProperty: 'arbitrary-value' } });
      const expected = strictly(/unknown field "spec\.extraProperty"/);
      await refused(create(lab, objects, JSON.stringify(bad)), expected);
      await refused(apply(lab, objects, 'one', stringify(bad)), expected);
    },
  ),
  requirement(
    `${VALIDATION} detect duplicates in a CR when preserving unknown fields`,
    'a field that stands twice in a custom object is refused with its name, though its schema keeps every field',
    async (lab) => {
      const { objects } = await define(lab, { schema: ANYTHING });
      const { apiVersion, kind } = objects.place;
      const head = `"apiVersion":"${apiVersion}","kind":"${kind}","metadata":{"name":"one"}`;
      const json = `{${head},"spec":{"unknown":"uk1","unknownDupe":"v1","unknownDupe":"v2"}}`;
      await refused(create(lab, objects, json), strictly(/duplicate field "spec\.unknownDupe"/));
      const yaml = `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata:\n  name: one\nspec:\n  unknownDupe: v1\n  unknownDupe: v2\n`;
      await refused(apply(lab, objects, 'one', yaml), {
        code: 400,
        message: /line 7: key "unknownDupe" already set in map/,
      });
    },
  ),
  requirement(
    `${VALIDATION} detect unknown metadata fields in both the root and embedded object of a CR`,
    'unknown fields of the metadata of a custom object and of one embedded in it are refused by name',
    async (lab) => {
      const template = {
        type: 'object',
        'x-kubernetes-embedded-resource': true,
        properties: { metadata: { type: 'object' } },
      };
      const { objects } = await define(lab, { schema: specOf({ template }) });
      const embedded = { apiVersion: 'v1', kind: 'Any', metadata: { name: 'inner', unknownEmbeddedMeta: 'bar' } };
      const bad = objects.whole({ metadata: { name: 'one', unknownMeta: 'foo' }, spec: { template: embedded } });
      for (const request of [
        () => create(lab, objects, JSON.stringify(bad)),
        () => apply(lab, objects, 'one', stringify(bad)),
      ]) {
        const status = await refused(request(), { code: 400, message: /unknown field "metadata\.unknownMeta"/ });
        assert.match(status.message ?? '', /unknown field "spec\.template\.metadata\.unknownEmbeddedMeta"/);
      }
    },
  ),
];

function strictly(message: RegExp): Expected {
  return { code: 400, reason: 'BadRequest', message: new RegExp(`strict decoding error: .*${message.source}`) };
}

type Any = Pick<Collection, 'path' | 'pathOf'>;

function create(lab: Lab, objects: Any, body: string): Promise<unknown> {
  return lab.api.object({ method: 'POST', path: objects.path, query: STRICT, body });
}

function apply(lab: Lab, objects: Any, name: string, body: string): Promise<unknown> {
  const query = { ...STRICT, fieldManager: 'conformance' };
  return lab.api.object({ method: 'PATCH', path: objects.pathOf(name), query, body, type: APPLY });
}
