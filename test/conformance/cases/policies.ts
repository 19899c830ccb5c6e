/** Policies of admission at work on Deployments. */
import assert from 'node:assert/strict';
import type { Deployment } from '@skerry/api/types';
import { Refused } from '../api.ts';
import { type Lab, refused } from '../lab.ts';
import { type Requirement, requirement } from '../requirement.ts';

export const POLICIES: readonly Requirement[] = [
  requirement(
    '[sig-api-machinery] ValidatingAdmissionPolicy [Privileged:ClusterAdmin] should validate against a Deployment',
    'a bound policy refuses a Deployment of which its expression says no, and leaves others and other kinds alone',
    (lab) =>
      validates(lab, {
        validations: [
          {
            expression: 'object.spec.replicas > 1',
            messageExpression: "'wants replicas > 1, got ' + object.spec.replicas",
          },
          { expression: `namespaceObject.metadata.name == '${lab.namespace}'`, message: 'of another namespace' },
        ],
      }),
  ),
  requirement(
    '[sig-api-machinery] ValidatingAdmissionPolicy [Privileged:ClusterAdmin] should allow expressions to refer variables.',
    'the expressions of a policy see its variables, and variables those before them',
    (lab) =>
      validates(lab, {
        variables: [
          { name: 'replicas', expression: 'object.spec.replicas' },
          { name: 'replicasReminder', expression: 'variables.replicas % 2' },
        ],
        validations: [{ expression: 'variables.replicas > 1' }, { expression: 'variables.replicasReminder == 0' }],
      }),
  ),
  requirement(
    '[sig-api-machinery] MutatingAdmissionPolicy [Privileged:ClusterAdmin] should mutate a Deployment',
    'a bound policy changes the spec of a Deployment that is made',
    async (lab) => {
      const made = await mutates(
        lab,
        'Object{spec: Object.spec{replicas: object.spec.replicas + 1}}',
        ({ spec }) => spec?.replicas === 2,
      );
      assert.equal(made.spec?.template.spec?.containers[0]?.name, 'main', 'nothing else of it is changed');
    },
  ),
  requirement(
    '[sig-api-machinery] MutatingAdmissionPolicy [Privileged:ClusterAdmin] should mutate a Deployment with annotations',
    'a bound policy adds annotations to a Deployment that is made, beside those that it has',
    async (lab) => {
      const expression = 'Object{metadata: Object.metadata{annotations: {"by-policy": "yes"}}}';
      const made = await mutates(lab, expression, ({ metadata }) => metadata.annotations?.['by-policy'] === 'yes');
      assert.equal(made.metadata.annotations?.['given'], 'too');
    },
  ),
];

/** Of the namespace of the case alone. */
async function matching(lab: Lab): Promise<object> {
  const labels = { 'policies-of': lab.id };
  await lab.of('Namespace').patch(lab.namespace, { metadata: { labels } });
  const rule = {
    apiGroups: ['apps'],
    apiVersions: ['v1'],
    operations: ['CREATE', 'UPDATE'],
    resources: ['deployments'],
  };
  return { namespaceSelector: { matchLabels: labels }, resourceRules: [rule] };
}

async function validates(lab: Lab, policy: object): Promise<void> {
  const name = `policy-${lab.id}`;
  const matchConstraints = await matching(lab);
  await lab.of('ValidatingAdmissionPolicy').create({ metadata: { name }, spec: { matchConstraints, ...policy } });
  const binding = { policyName: name, validationActions: ['Deny'] };
  await lab.of('ValidatingAdmissionPolicyBinding').create({ metadata: { name }, spec: binding });
  await lab.eventually('the policy refuses a Deployment', async () => isInvalid(trial(lab, 1)));
  const message = /ValidatingAdmissionPolicy 'policy-\w+' with binding 'policy-\w+' denied request/;
  await refused(trial(lab, 1), { code: 422, reason: 'Invalid', message });
  await lab.of('Deployment').create(deployment('allowed', 2));
  const { spec } = deployment('other-kind', 1);
  await lab.of('ReplicaSet').create({ metadata: { name: 'other-kind' }, spec });
}

/** Policies count as soon as the server has heard of them, so the first Deployments may pass as they are. */
async function mutates(lab: Lab, expression: string, isMutated: (made: Deployment) => boolean): Promise<Deployment> {
  const name = `policy-${lab.id}`;
  const mutations = [{ patchType: 'ApplyConfiguration', applyConfiguration: { expression } }];
  const spec = { matchConstraints: await matching(lab), reinvocationPolicy: 'Never', mutations };
  await lab.of('MutatingAdmissionPolicy').create({ metadata: { name }, spec });
  await lab.of('MutatingAdmissionPolicyBinding').create({ metadata: { name }, spec: { policyName: name } });
  await lab.eventually('the policy changes a Deployment', async () => isMutated(await trial(lab, 1)));
  return lab.of('Deployment').create(deployment('mutated', 1));
}

function trial(lab: Lab, replicas: number): Promise<Deployment> {
  return lab.of('Deployment').create(deployment('trial', replicas), { dryRun: 'All' });
}

async function isInvalid(request: Promise<unknown>): Promise<boolean> {
  try {
    await request;
    return false;
  } catch (error) {
    return error instanceof Refused && error.status.reason === 'Invalid';
  }
}

function deployment(name: string, replicas: number): { readonly metadata: object; readonly spec: object } {
  const labels = { app: name };
  const template = { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'example.com/none:1' }] } };
  const spec = { replicas, selector: { matchLabels: labels }, template };
  return { metadata: { name, annotations: { given: 'too' } }, spec };
}
