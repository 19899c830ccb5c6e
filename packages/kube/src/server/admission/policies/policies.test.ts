import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AuditEvent } from '@skerry/api';
import type { ApiServerOptions } from '../../api-server.ts';
import { type Answer, requestOf, type ScratchServer, scratchServer } from '../../testing/scratch-server.ts';
import { admissionPolicies } from './index.ts';

const ADMISSION = '/apis/admissionregistration.k8s.io/v1';
const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';
const MERGE = { 'content-type': 'application/merge-patch+json' };

function policed(options: Partial<ApiServerOptions> = {}): ScratchServer {
  return scratchServer({ reviewers: admissionPolicies(), ...options });
}

const RULE = { apiGroups: ['apps'], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'], resources: ['deployments'] };

async function install(
  { ask }: ScratchServer,
  type: 'validating' | 'mutating',
  { policy, binding = {} }: { readonly policy: object; readonly binding?: object },
): Promise<void> {
  const spec = { matchConstraints: { resourceRules: [RULE] }, ...policy };
  const made = await ask('POST', `${ADMISSION}/${type}admissionpolicies`, { body: { metadata: { name: 'p' }, spec } });
  assert.equal(made.status, 201, made.text);
  const actions = type === 'validating' ? { validationActions: ['Deny'] } : {};
  const bound = await ask('POST', `${ADMISSION}/${type}admissionpolicybindings`, {
    body: { metadata: { name: 'b' }, spec: { policyName: 'p', ...actions, ...binding } },
  });
  assert.equal(bound.status, 201, bound.text);
}

function deployment(name: string, replicas: number, more: object = {}): object {
  const labels = { app: name };
  const template = { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'nginx' }] } };
  return { metadata: { name, ...more }, spec: { replicas, selector: { matchLabels: labels }, template } };
}

const deploy = ({ ask }: ScratchServer, name: string, replicas: number, more?: object): Promise<Answer> =>
  ask('POST', DEPLOYMENTS, { body: deployment(name, replicas, more) });

const MORE_THAN_ONE = {
  validations: [{ expression: 'object.spec.replicas > 1', messageExpression: "'got ' + string(object.spec.replicas)" }],
};

test('a policy without a binding refuses nothing; with one, what it says, until it is gone', async () => {
  const server = policed();
  const spec = { matchConstraints: { resourceRules: [RULE] }, ...MORE_THAN_ONE };
  await server.ask('POST', `${ADMISSION}/validatingadmissionpolicies`, { body: { metadata: { name: 'q' }, spec } });
  assert.equal((await deploy(server, 'free', 1)).status, 201);
  await install(server, 'validating', { policy: MORE_THAN_ONE });
  const { status, json } = await deploy(server, 'web', 1);
  assert.equal(status, 422);
  assert.deepEqual(
    [json.reason, json.code, json.message, json.details.causes],
    [
      'Invalid',
      422,
      "deployments.apps \"web\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: got 1",
      [{ message: "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: got 1" }],
    ],
  );
  assert.equal((await deploy(server, 'web', 2)).status, 201);
  const scaledByPatch = await server.ask('PATCH', `${DEPLOYMENTS}/web`, {
    body: { spec: { replicas: 1 } },
    headers: MERGE,
  });
  assert.equal(scaledByPatch.status, 422);
  await server.ask('DELETE', `${ADMISSION}/validatingadmissionpolicybindings/b`);
  assert.equal((await deploy(server, 'late', 1)).status, 201);
});

test('a dry run is refused too, and deletes and other kinds are only where a rule names them', async () => {
  const server = policed();
  await install(server, 'validating', {
    policy: {
      matchConstraints: { resourceRules: [{ ...RULE, operations: ['DELETE', 'CREATE'] }] },
      validations: [
        { expression: "request.operation != 'DELETE' || oldObject.spec.replicas > 1", reason: 'Forbidden' },
      ],
    },
  });
  await deploy(server, 'web', 1);
  const kept = await server.ask('DELETE', `${DEPLOYMENTS}/web?dryRun=All`);
  assert.deepEqual([kept.status, kept.json.reason], [403, 'Forbidden']);
  assert.equal((await server.ask('DELETE', DEPLOYMENTS)).status, 403);
  assert.equal((await server.ask('GET', `${DEPLOYMENTS}/web`)).status, 200);
  await server.ask('PATCH', `${DEPLOYMENTS}/web`, { body: { spec: { replicas: 2 } }, headers: MERGE });
  assert.equal((await server.ask('DELETE', DEPLOYMENTS)).status, 200);
});

test('a Scale is reviewed as a Scale', async () => {
  const server = policed();
  await install(server, 'validating', {
    policy: {
      matchConstraints: { resourceRules: [{ ...RULE, resources: ['deployments/scale'] }] },
      validations: [
        { expression: "object.kind == 'Scale' && object.spec.replicas < 5 && request.subResource == 'scale'" },
      ],
    },
  });
  await deploy(server, 'web', 9);
  const scale = (replicas: number) =>
    server.ask('PATCH', `${DEPLOYMENTS}/web/scale`, { body: { spec: { replicas } }, headers: MERGE });
  assert.deepEqual([(await scale(5)).status, (await scale(4)).status], [422, 200]);
});

test('connections to pods are reviewed by what they are for', async () => {
  const server = policed();
  await install(server, 'validating', {
    policy: {
      matchConstraints: {
        resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CONNECT'], resources: ['pods/exec'] }],
      },
      validations: [
        { expression: "object.kind == 'PodExecOptions' && !('rm' in object.command)", reason: 'Forbidden' },
      ],
    },
  });
  const spec = { nodeName: 'n1', containers: [{ name: 'main', image: 'nginx' }] };
  await server.ask('POST', '/api/v1/namespaces/default/pods', { body: { metadata: { name: 'web' }, spec } });
  const exec = (command: string) =>
    server.server.planUpgrade(
      requestOf('GET', `/api/v1/namespaces/default/pods/web/exec?stdout=1&command=${command}`, {}),
    );
  const refused = await exec('rm');
  assert.equal('status' in refused && refused.status, 403);
  const planned = await exec('ls');
  assert.equal('kind' in planned && planned.kind, 'exec');
});

test('a policy is for the namespaces, objects and names that it says, and not for what it excludes', async () => {
  const server = policed();
  const namespaces = '/api/v1/namespaces';
  await server.ask('POST', namespaces, { body: { metadata: { name: 'default' } } });
  await server.ask('POST', namespaces, { body: { metadata: { name: 'strict', labels: { tier: 'strict' } } } });
  await install(server, 'validating', {
    policy: {
      matchConstraints: {
        namespaceSelector: { matchLabels: { tier: 'strict' } },
        objectSelector: { matchExpressions: [{ key: 'free', operator: 'DoesNotExist' }] },
        resourceRules: [RULE],
        excludeResourceRules: [{ ...RULE, resourceNames: ['spared'] }],
      },
      validations: [{ expression: "namespaceObject.metadata.name == 'nowhere'" }],
    },
  });
  const at = async (namespace: string, name: string, more: object = {}) =>
    (await server.ask('POST', DEPLOYMENTS.replace('default', namespace), { body: deployment(name, 1, more) })).status;
  assert.equal(await at('default', 'a'), 201);
  assert.equal(await at('strict', 'a'), 422);
  assert.equal(await at('strict', 'spared'), 201);
  assert.equal(await at('strict', 'b', { labels: { free: 'yes' } }), 201);
});

test('variables are computed in turn, and parameters come from the objects that the binding names', async () => {
  const server = policed();
  await install(server, 'validating', {
    policy: {
      paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
      variables: [
        { name: 'limit', expression: 'int(params.data.limit)' },
        { name: 'fits', expression: 'object.spec.replicas <= variables.limit' },
      ],
      validations: [{ expression: 'variables.fits' }],
    },
    binding: { paramRef: { selector: { matchLabels: { kind: 'limit' } }, parameterNotFoundAction: 'Deny' } },
  });
  const { json } = await deploy(server, 'none', 1);
  assert.match(json.message, /no params found for policy binding with `Deny` parameterNotFoundAction/);
  const limit = (name: string, value: string) =>
    server.ask('POST', '/api/v1/namespaces/default/configmaps', {
      body: { metadata: { name, labels: { kind: 'limit' } }, data: { limit: value } },
    });
  await limit('one', '5');
  assert.deepEqual([(await deploy(server, 'a', 6)).status, (await deploy(server, 'b', 5)).status], [422, 201]);
  await limit('two', '2');
  assert.equal((await deploy(server, 'c', 3)).status, 422);
});

test('what a policy says may be kept in the audit log, with notes of its own', async () => {
  const events: AuditEvent[] = [];
  const server = policed({ audit: { append: (event) => events.push(event) } });
  const auditAnnotations = [{ key: 'asked', valueExpression: "'for ' + string(object.spec.replicas)" }];
  await install(server, 'validating', {
    policy: { ...MORE_THAN_ONE, auditAnnotations },
    binding: { validationActions: ['Audit'] },
  });
  assert.equal((await deploy(server, 'web', 1)).status, 201);
  const failure = { message: 'got 1', policy: 'p', binding: 'b', validationActions: ['Audit'] };
  assert.deepEqual(events.at(-1)?.annotations, {
    'p/asked': 'for 1',
    'validation.policy.admission.k8s.io/validation_failure': JSON.stringify([failure]),
  });
});

test('a binding may warn, and what cannot be evaluated is a refusal unless failures are ignored', async () => {
  const server = policed();
  await install(server, 'validating', { policy: MORE_THAN_ONE, binding: { validationActions: ['Warn', 'Audit'] } });
  const { status, headers } = await deploy(server, 'web', 1);
  assert.equal(status, 201);
  assert.match(headers['warning'] ?? '', /Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': got 1/);
  const path = `${ADMISSION}/validatingadmissionpolicies/p`;
  const broken = { validations: [{ expression: 'object.spec.nope > 1' }] };
  await server.ask('PATCH', path, { body: { spec: broken }, headers: MERGE });
  assert.match(
    (await deploy(server, 'a', 1)).json.message,
    /expression 'object.spec.nope > 1' resulted in error: no such key: nope/,
  );
  await server.ask('PATCH', path, { body: { spec: { failurePolicy: 'Ignore' } }, headers: MERGE });
  assert.equal((await deploy(server, 'b', 1)).status, 201);
});

test('a policy is refused with the place of what is wrong in it, and says which generation was checked', async () => {
  const server = policed();
  const faults = async (spec: object, resource = 'validatingadmissionpolicies') => {
    const { status, json } = await server.ask('POST', `${ADMISSION}/${resource}`, {
      body: { metadata: { name: 'x' }, spec },
    });
    assert.equal(status, 422, json.message);
    return json.details.causes.map(({ field }: { field: string }) => field);
  };
  assert.deepEqual(await faults({ validations: [{ expression: 'object.' }] }), [
    'spec.matchConstraints',
    'spec.validations[0].expression',
  ]);
  assert.deepEqual(
    await faults({ matchConstraints: { resourceRules: [{ ...RULE, apiGroups: ['*', 'a'], operations: [] }] } }),
    [
      'spec.matchConstraints.resourceRules[0].operations',
      'spec.matchConstraints.resourceRules[0].apiGroups',
      'spec.validations',
    ],
  );
  assert.deepEqual(await faults({ validationActions: ['Deny', 'Warn'] }, 'validatingadmissionpolicybindings'), [
    'spec.policyName',
    'spec.validationActions',
  ]);
  assert.deepEqual(await faults({ policyName: 'p', paramRef: {} }, 'mutatingadmissionpolicybindings'), [
    'spec.paramRef',
    'spec.paramRef.parameterNotFoundAction',
  ]);
  await install(server, 'validating', { policy: MORE_THAN_ONE });
  const read = async () => (await server.ask('GET', `${ADMISSION}/validatingadmissionpolicies/p`)).json;
  assert.deepEqual((await read()).status, { observedGeneration: 1, typeChecking: {} });
  await server.ask('PATCH', `${ADMISSION}/validatingadmissionpolicies/p`, {
    body: { spec: { failurePolicy: 'Ignore' } },
    headers: MERGE,
  });
  const { metadata, status, spec } = await read();
  const { resourceRules, ...matching } = spec.matchConstraints;
  assert.deepEqual(matching, { matchPolicy: 'Equivalent', namespaceSelector: {}, objectSelector: {} });
  assert.equal(resourceRules[0].scope, '*');
  assert.deepEqual([metadata.generation, status.observedGeneration], [2, 2]);
});

test('mutations merge configurations and apply patches; validation and later policies see what became of the object', async () => {
  const server = policed();
  await install(server, 'mutating', {
    policy: {
      reinvocationPolicy: 'Never',
      mutations: [
        {
          patchType: 'ApplyConfiguration',
          applyConfiguration: {
            expression:
              'Object{spec: Object.spec{replicas: 3, template: Object.spec.template{spec: Object.spec.template.spec{containers: [Object.spec.template.spec.containers{name: "side", image: "busybox"}]}}}}',
          },
        },
        {
          patchType: 'JSONPatch',
          jsonPatch: {
            expression:
              '[JSONPatch{op: "add", path: "/metadata/annotations", value: {"by": string(object.spec.replicas)}}]',
          },
        },
      ],
    },
  });
  await install(server, 'validating', { policy: MORE_THAN_ONE });
  const { status, json } = await deploy(server, 'web', 1);
  assert.equal(status, 201, json.message);
  assert.deepEqual([json.spec.replicas, json.metadata.annotations], [3, { by: '3' }]);
  const names = json.spec.template.spec.containers.map(({ name }: { name: string }) => name);
  assert.deepEqual(names.sort(), ['main', 'side']);
  assert.equal(json.spec.template.spec.containers[1].terminationMessagePath, '/dev/termination-log');
});

test('a policy that wishes it is asked once more after others changed the object', async () => {
  const server = policed();
  const labelled = (name: string, label: string, condition: string, reinvocationPolicy: string) =>
    Promise.all([
      server.ask('POST', `${ADMISSION}/mutatingadmissionpolicies`, {
        body: {
          metadata: { name },
          spec: {
            matchConstraints: { resourceRules: [RULE] },
            matchConditions: [{ name: 'when', expression: condition }],
            reinvocationPolicy,
            mutations: [
              {
                patchType: 'ApplyConfiguration',
                applyConfiguration: { expression: `Object{metadata: Object.metadata{labels: {"${label}": "yes"}}}` },
              },
            ],
          },
        },
      }),
      server.ask('POST', `${ADMISSION}/mutatingadmissionpolicybindings`, {
        body: { metadata: { name }, spec: { policyName: name } },
      }),
    ]);
  const sees = "has(object.metadata.labels) && 'late' in object.metadata.labels";
  await labelled('a', 'again', sees, 'IfNeeded');
  await labelled('b', 'never', sees, 'Never');
  await labelled('c', 'late', 'true', 'Never');
  assert.deepEqual((await deploy(server, 'web', 1)).json.metadata.labels, { late: 'yes', again: 'yes' });
});

test('a mutation that fails refuses the request, and policies do not concern policies', async () => {
  const server = policed();
  await install(server, 'mutating', {
    policy: {
      matchConstraints: {
        resourceRules: [{ operations: ['*'], apiGroups: ['*'], apiVersions: ['*'], resources: ['*'] }],
      },
      reinvocationPolicy: 'Never',
      mutations: [{ patchType: 'JSONPatch', jsonPatch: { expression: '[JSONPatch{op: "remove", path: "/nowhere"}]' } }],
    },
  });
  const { status, json } = await deploy(server, 'web', 1);
  assert.equal(status, 422);
  assert.match(json.message, /policy 'p' with binding 'b' denied request/);
  assert.equal((await server.ask('DELETE', `${ADMISSION}/mutatingadmissionpolicies/p`)).status, 200);
  assert.equal((await deploy(server, 'web', 1)).status, 201);
});
