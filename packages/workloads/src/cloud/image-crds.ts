/** The definitions of ImageRegistry, ImagePull and ImagePullTask, which the cloud installs. */
import { formatApiVersion, type Gvk, type Gvr, type KubeObject } from '@skerry/api';
import {
  IMAGE_PULL,
  IMAGE_PULL_TASK,
  IMAGE_PULL_TASKS,
  IMAGE_PULLS,
  IMAGE_REGISTRIES,
  IMAGE_REGISTRY,
} from '../image-kinds/index.ts';

const MAX_IMAGES = 100;
const MAX_MIRRORS = 16;
const MAX_BUNDLE_CHARACTERS = 512 * 1024;
const MAX_SHOWN_PULLS = 256;

const text = (description: string, limits: object = {}) => ({ type: 'string', description, ...limits });
const flag = (description: string) => ({ type: 'boolean', description });
const count = (description: string, limits: object = {}) => ({ type: 'integer', description, minimum: 0, ...limits });
const dateTime = (description: string) => text(description, { format: 'date-time' });
const list = (description: string, items: object, limits: object = {}) => ({
  type: 'array',
  description,
  items,
  ...limits,
});
const object = (properties: object, more: object = {}) => ({ type: 'object', properties, ...more });

/** Installed at every start of the cloud. */
export function imageCrds(): readonly KubeObject[] {
  return [registryCrd(), pullCrd(), taskCrd()];
}

const HOST = '^(localhost|[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\\[[0-9a-fA-F:]+\\])(:[0-9]{1,5})?$';
const NODES = list('The nodes that the placement chose.', { type: 'string' });
const IMAGES = list('Names of images, as pods have them.', text('An image.', { minLength: 1, maxLength: 512 }), {
  minItems: 1,
  maxItems: MAX_IMAGES,
});
const PULL_SECRETS = list(
  'Secrets of this namespace with credentials for the registries, as in a pod.',
  object({ name: text('Of the Secret.', { maxLength: 253 }) }),
  { maxItems: 16 },
);
const CA_BUNDLE = text('PEM in base64: whom to trust instead of the authorities of the system.', {
  format: 'byte',
  maxLength: MAX_BUNDLE_CHARACTERS,
});

function placement(extra: object = {}): object {
  return object(
    {
      nodeName: text('One node.', { maxLength: 253 }),
      nodeSelector: {
        type: 'object',
        description: 'Every node that has all these labels; all nodes when empty.',
        additionalProperties: { type: 'string' },
      },
    },
    { description: 'Which nodes this is for.', ...extra },
  );
}

function registryCrd(): KubeObject {
  const mirror = object(
    {
      url: text('Where the mirror is, such as https://mirror.example:5000.', {
        pattern: '^https?://[^/@\\s?#]+(/[^@\\s?#]*)?$',
        maxLength: 1024,
      }),
      caBundle: CA_BUNDLE,
      plainHTTP: flag('The mirror speaks HTTP, and nothing protects what comes from it but the digests.'),
    },
    { required: ['url'] },
  );
  const spec = object(
    {
      host: text('The registry, as names of images begin: docker.io, registry.example:5000.', {
        pattern: HOST,
        maxLength: 253,
      }),
      mirrors: list('Asked in this order before the registry itself.', mirror, { maxItems: MAX_MIRRORS }),
      caBundle: CA_BUNDLE,
      plainHTTP: flag('This registry speaks HTTP.'),
      pull: text('By way of the cloud, directly from the node, or whichever works.', {
        enum: ['Auto', 'ThroughCloud', 'Direct'],
        default: 'Auto',
      }),
      maxBytesPerSecond: {
        'x-kubernetes-int-or-string': true,
        anyOf: [{ type: 'integer' }, { type: 'string' }],
        pattern: '^[0-9]+(\\.[0-9]+)?(k|M|G|Ki|Mi|Gi)?$',
        description: 'What one node may take of this registry, all pulls together: a quantity such as 512Ki.',
      },
      placement: placement({ default: { nodeSelector: {} } }),
    },
    { required: ['host'] },
  );
  return crd({
    gvr: IMAGE_REGISTRIES,
    gvk: IMAGE_REGISTRY,
    scope: 'Cluster',
    shortNames: ['imgreg'],
    description: 'How images of one registry reach the nodes: mirrors, trust, way and rate.',
    spec,
    status: object({ nodes: NODES }),
    columns: [
      column('Host', 'string', '.spec.host'),
      column('Pull', 'string', '.spec.pull'),
      column('Mirrors', 'string', '.spec.mirrors[*].url', 1),
      column('Rate', 'string', '.spec.maxBytesPerSecond', 1),
    ],
  });
}

const PULL_STATE = {
  image: text('As in spec.images.'),
  phase: text('How far it is.', { enum: ['Pending', 'Pulling', 'Pulled', 'Failed'] }),
  digest: text('What the node holds under the name.'),
  totalBytes: count('Of everything the image consists of.', { format: 'int64' }),
  presentBytes: count('Of these, what the node holds.', { format: 'int64' }),
  reason: text('Why it is not there, in one word.'),
  message: text('Why it is not there.', { maxLength: 1024 }),
};

function pullCrd(): KubeObject {
  const condition = object(
    {
      type: text('Progressing or Complete.'),
      status: text('True or False.'),
      reason: text('In one word.'),
      message: text('In a sentence.'),
      lastTransitionTime: dateTime('When the status last changed.'),
    },
    { required: ['type', 'status'] },
  );
  return crd({
    gvr: IMAGE_PULLS,
    gvk: IMAGE_PULL,
    scope: 'Namespaced',
    shortNames: ['imgpull'],
    description: 'Images that nodes are to hold before any pod asks for them.',
    // Its nodes need only their own tasks; the numbers of all the others are none of their business.
    annotations: { 'skerry.io/node-path': '' },
    spec: object(
      {
        images: IMAGES,
        imagePullSecrets: PULL_SECRETS,
        placement: placement(),
        concurrency: count('How many nodes pull at once.', { minimum: 1, maximum: 1000, default: 10 }),
        activeDeadlineSeconds: count('Nodes that are not done so long after the start are given up.', {
          minimum: 1,
          format: 'int64',
        }),
      },
      { required: ['images', 'placement'] },
    ),
    status: object({
      nodes: NODES,
      observedGeneration: count('The generation that this status speaks of.', { format: 'int64' }),
      startTime: dateTime('When the first node was told to pull.'),
      completionTime: dateTime('When the last node was done or given up.'),
      desired: count('Nodes that are to hold the images.'),
      pulled: count('Nodes that hold all of them.'),
      pulling: count('Nodes that are at it.'),
      failed: count('Nodes that gave up.'),
      pulls: list(
        'Per node and image: failures first, then what is under way.',
        object({ node: text('The node.'), ...PULL_STATE }, { required: ['node', 'image'] }),
        { maxItems: MAX_SHOWN_PULLS },
      ),
      conditions: list('Progressing and Complete.', condition, {
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['type'],
      }),
    }),
    columns: [
      column('Desired', 'integer', '.status.desired'),
      column('Pulled', 'integer', '.status.pulled'),
      column('Pulling', 'integer', '.status.pulling'),
      column('Failed', 'integer', '.status.failed'),
      column('Status', 'string', '.status.conditions[?(@.type=="Complete")].reason'),
      column('Images', 'string', '.spec.images[*]', 1),
    ],
  });
}

function taskCrd(): KubeObject {
  return crd({
    gvr: IMAGE_PULL_TASKS,
    gvk: IMAGE_PULL_TASK,
    scope: 'Namespaced',
    shortNames: ['imgtask'],
    description: 'What one node is to do for an ImagePull. The cloud makes and removes it.',
    annotations: {
      'skerry.io/node-path': 'spec.nodeName',
      'skerry.io/relations': JSON.stringify([
        { to: { group: '', version: 'v1', resource: 'secrets' }, namePaths: ['spec.imagePullSecrets[].name'] },
      ]),
    },
    selectableFields: [{ jsonPath: '.spec.nodeName' }],
    spec: object(
      {
        nodeName: text('The node that pulls.', { minLength: 1, maxLength: 253 }),
        images: IMAGES,
        imagePullSecrets: PULL_SECRETS,
        cancelled: flag('The node ends what it is at.'),
      },
      { required: ['nodeName', 'images'] },
    ),
    status: object({
      observedGeneration: count('The generation that this status speaks of.', { format: 'int64' }),
      phase: PULL_STATE.phase,
      progress: text('How much of all images is there, such as 45%.'),
      reason: text('Why it is not done, in one word.'),
      images: list('One by one.', object(PULL_STATE, { required: ['image'] }), { maxItems: MAX_IMAGES }),
    }),
    columns: [
      column('Node', 'string', '.spec.nodeName'),
      column('Phase', 'string', '.status.phase'),
      column('Progress', 'string', '.status.progress'),
      column('Reason', 'string', '.status.reason'),
      column('Images', 'string', '.spec.images[*]', 1),
    ],
  });
}

function column(name: string, type: string, jsonPath: string, priority = 0): object {
  return { name, type, jsonPath, ...(priority === 0 ? {} : { priority }) };
}

interface CrdParts {
  readonly gvr: Gvr;
  readonly gvk: Gvk;
  readonly scope: 'Cluster' | 'Namespaced';
  readonly shortNames: readonly string[];
  readonly description: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly selectableFields?: readonly object[];
  readonly spec: object;
  readonly status: object;
  readonly columns: readonly object[];
}

function crd({
  gvr,
  gvk,
  scope,
  shortNames,
  description,
  annotations,
  selectableFields,
  ...parts
}: CrdParts): KubeObject {
  const age = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' };
  const version = {
    name: gvr.version,
    served: true,
    storage: true,
    schema: {
      openAPIV3Schema: object({ spec: parts.spec, status: parts.status }, { description, required: ['spec'] }),
    },
    subresources: { status: {} },
    ...(selectableFields === undefined ? {} : { selectableFields }),
    additionalPrinterColumns: [...parts.columns, age],
  };
  const { kind } = gvk;
  const names = {
    kind,
    listKind: `${kind}List`,
    plural: gvr.resource,
    singular: kind.toLowerCase(),
    shortNames,
    categories: ['skerry'],
  };
  return {
    apiVersion: formatApiVersion({ group: 'apiextensions.k8s.io', version: 'v1' }),
    kind: 'CustomResourceDefinition',
    metadata: { name: `${gvr.resource}.${gvr.group}`, ...(annotations === undefined ? {} : { annotations }) },
    spec: { group: gvr.group, names, scope, versions: [version] },
  };
}
