/** What a server says it serves, in every form that clients ask for. */
import assert from 'node:assert/strict';
import { define } from '../custom.ts';
import { at, type Lab } from '../lab.ts';
import { type Requirement, requirement } from '../requirement.ts';

const AGGREGATED = '[sig-api-machinery] AggregatedDiscovery should support';
const V2 = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
const V2_BETA = V2.replace('v=v2', 'v=v2beta1');

interface AggregatedList {
  readonly kind: string;
  readonly items: readonly {
    readonly metadata: { readonly name?: string };
    readonly versions: readonly {
      readonly version: string;
      readonly freshness?: string;
      readonly resources: readonly {
        readonly resource: string;
        readonly scope: string;
        readonly verbs: readonly string[];
      }[];
    }[];
  }[];
}

interface Group {
  readonly name: string;
  readonly versions: readonly { readonly groupVersion: string; readonly version: string }[];
  readonly preferredVersion: { readonly groupVersion: string; readonly version: string };
}

/** What every cluster serves, as group, version and one resource. */
const KNOWN = [
  ['admissionregistration.k8s.io', 'v1', 'validatingwebhookconfigurations'],
  ['apiextensions.k8s.io', 'v1', 'customresourcedefinitions'],
  ['apiregistration.k8s.io', 'v1', 'apiservices'],
  ['apps', 'v1', 'deployments'],
  ['authentication.k8s.io', 'v1', 'tokenreviews'],
  ['authorization.k8s.io', 'v1', 'selfsubjectaccessreviews'],
  ['autoscaling', 'v1', 'horizontalpodautoscalers'],
  ['autoscaling', 'v2', 'horizontalpodautoscalers'],
  ['batch', 'v1', 'jobs'],
  ['certificates.k8s.io', 'v1', 'certificatesigningrequests'],
  ['coordination.k8s.io', 'v1', 'leases'],
  ['discovery.k8s.io', 'v1', 'endpointslices'],
  ['networking.k8s.io', 'v1', 'ingresses'],
  ['node.k8s.io', 'v1', 'runtimeclasses'],
  ['policy', 'v1', 'poddisruptionbudgets'],
  ['scheduling.k8s.io', 'v1', 'priorityclasses'],
] as const;

export const DISCOVERY: readonly Requirement[] = [
  requirement(
    `${AGGREGATED} aggregated discovery interface`,
    'one document has all groups with their versions and resources',
    async (lab) => {
      const groups = await aggregated(lab, '/apis');
      for (const [group, version, resource] of KNOWN)
        assert.ok(has(groups, group, version, resource), `${group} ${resource}`);
      const core = await aggregated(lab, '/api');
      assert.ok(has(core, undefined, 'v1', 'pods'));
    },
  ),
  requirement(
    `${AGGREGATED} aggregated discovery interface for CRDs`,
    'that document has a custom kind once it is established',
    async (lab) => {
      const { group, plural } = await define(lab);
      await lab.eventually('it is there', async () => has(await aggregated(lab, '/apis'), group, 'v1', plural));
    },
  ),
  requirement(
    `${AGGREGATED} raw aggregated discovery endpoint Accept headers`,
    'the form is that of the first media type of Accept that the server has, and the answer names it',
    async (lab) => {
      for (const [accept, type] of [
        [V2, V2],
        [V2_BETA, V2_BETA],
        [`${V2},${V2_BETA},application/json`, V2],
        [`${V2_BETA},${V2},application/json`, V2_BETA],
        [`${V2.replace('v=v2', 'v=v3')},${V2}`, V2],
        ['application/json', 'application/json'],
        [`application/json,${V2}`, 'application/json'],
        ['*/*', 'application/json'],
      ] as const) {
        for (const path of ['/api', '/apis']) {
          const { status, headers, text } = await lab.api.ask({ path, accept });
          assert.equal(status, 200);
          assert.equal(String(headers['content-type']).replaceAll(' ', ''), type, `${accept} of ${path}`);
          assert.equal(/"kind":"APIGroupDiscoveryList"/.test(text), type !== 'application/json');
        }
      }
    },
  ),
  requirement(
    `${AGGREGATED} raw aggregated discovery request for CRDs`,
    'a custom kind is in the document with its scope and its verbs, and in those of older clients',
    async (lab) => {
      const { group, plural, kind } = await define(lab);
      const found = await lab.eventually('it is there', async () => {
        const { items } = await aggregated(lab, '/apis');
        return items.find(({ metadata }) => metadata.name === group);
      });
      const [resource] = found.versions[0]?.resources ?? [];
      assert.deepEqual([resource?.resource, resource?.scope], [plural, 'Namespaced']);
      const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
      assert.deepEqual([...(resource?.verbs ?? [])].sort(), verbs);
      const { resources } = await lab.api.get<{ resources: { name: string; kind: string }[] }>(`/apis/${group}/v1`);
      assert.ok(resources.some((each) => each.name === plural && each.kind === kind));
    },
  ),
  requirement(
    '[sig-api-machinery] Discovery should validate PreferredVersion for each APIGroup',
    "each group's preferred version is one of its versions, in the list of groups and in the group's own document",
    async (lab) => {
      const { groups } = await lab.api.get<{ groups: Group[] }>('/apis');
      assert.ok(groups.length > 10);
      // Groups that other cases define come and go meanwhile.
      for (const { name } of groups.filter((group) => !group.name.endsWith('.example.com'))) {
        const { versions, preferredVersion } = await lab.api.get<Group>(`/apis/${name}`);
        assert.ok(
          versions.some(({ groupVersion }) => groupVersion === preferredVersion.groupVersion),
          name,
        );
        assert.ok(
          versions.every(({ groupVersion, version }) => groupVersion === `${name}/${version}`),
          name,
        );
      }
    },
  ),
  requirement(
    '[sig-api-machinery] Discovery should locate the groupVersion and a resource within each APIGroup',
    'each group that every cluster has is in the list of groups, its version has a document, and that has its resources',
    async (lab) => {
      const { groups } = await lab.api.get<{ groups: Group[] }>('/apis');
      for (const [group, version, resource] of KNOWN) {
        const found = groups.find(({ name }) => name === group);
        assert.ok(
          found?.versions.some((each) => each.version === version),
          `${group}/${version}`,
        );
        const document = await lab.api.get<{ groupVersion: string; resources: { name: string }[] }>(
          `/apis/${group}/${version}`,
        );
        assert.equal(document.groupVersion, `${group}/${version}`);
        assert.ok(
          document.resources.some(({ name }) => name === resource),
          resource,
        );
      }
    },
  ),
  requirement(
    '[sig-api-machinery] server version should find the server version',
    '/version names the major and the minor version',
    async (lab) => {
      const { major, minor, gitVersion } = await lab.api.get<Record<string, string>>('/version');
      assert.match(major ?? '', /^[1-9]\d*$/);
      assert.match(minor ?? '', /^\d+\+?$/);
      assert.ok(gitVersion?.startsWith(`v${major}.`));
    },
  ),
  requirement(
    '[sig-network] API Server should provide secure master service',
    'the Service `kubernetes` of `default` has its port for HTTPS',
    async (lab) => {
      const { spec } = await lab.of('Service').in('default').get('kubernetes');
      assert.deepEqual(
        spec?.ports?.map(({ name, port }) => [name, port]),
        [['https', 443]],
      );
    },
  ),
  requirement(
    '[sig-api-machinery] Servers with support for Table transformation should return a 406 for a backend which does not implement metadata',
    'who asks for a review as a Table and nothing else hears that there is none',
    async (lab) => {
      const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
      const body = {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SelfSubjectAccessReview',
        spec: { nonResourceAttributes: { path: '/', verb: 'get' } },
      };
      const path = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
      const { status, text } = await lab.api.ask({ method: 'POST', path, body, accept });
      assert.equal(status, 406, text);
      assert.equal(at(JSON.parse(text), 'reason'), 'NotAcceptable');
    },
  ),
];

async function aggregated(lab: Lab, path: string): Promise<AggregatedList> {
  const { status, text, headers } = await lab.api.ask({ path, accept: V2 });
  assert.equal(status, 200, text);
  assert.ok(headers['etag']);
  return JSON.parse(text) as AggregatedList;
}

function has({ items }: AggregatedList, group: string | undefined, version: string, resource: string): boolean {
  const found = items.find(({ metadata }) => (metadata.name ?? '') === (group ?? ''));
  const one = found?.versions.find((each) => each.version === version);
  return one?.resources.some((each) => each.resource === resource) ?? false;
}
