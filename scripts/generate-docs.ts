/** `npm run generate:docs`: the reference pages that the program itself can tell, and its definitions in deploy/crds; `--check` fails when one has drifted. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KubeObject, ResourceRow } from '@skerry/api';
import { formatApiVersion } from '@skerry/api';
import { deviceCrds } from '@skerry/devices';
import { builtinKinds } from '@skerry/kube/server';
import { securityCrds } from '@skerry/security/identity';
import { streamCrds } from '@skerry/streams';
import { imageCrds } from '@skerry/workloads/cloud';
import { stringify } from 'yaml';
import { buildBundles } from './build.ts';
import { conformancePage } from './reference/conformance-page.ts';
import { devicesPage } from './reference/devices-page.ts';
import { chineseSqlPage, sqlPage } from './reference/sql-page.ts';
import { ROOT, say } from './tasks.ts';

const PAGES: Readonly<Record<string, () => string>> = {
  ...Object.fromEntries(ownDefinitions().map((each) => [`deploy/crds/${each.metadata.name}.yaml`, () => yamlOf(each)])),
  'docs/reference/cli.md': commandsPage,
  'docs/reference/kubernetes.md': kindsPage,
  'docs/reference/conformance.md': () => conformancePage(GENERATED),
  'docs/reference/devices.md': () => devicesPage(GENERATED),
  'docs/reference/sql.md': () => sqlPage(GENERATED),
  'docs/zh/reference/sql.md': () => chineseSqlPage(GENERATED),
};
const GENERATED = '<!-- Written by scripts/generate-docs.ts. -->';

// ——— commands ———

/** What stands for the defaults of the machine that writes the page. */
const PLACES = { SKERRY_DATA_DIR: 'DATA_DIR', SKERRY_KEY_DIR: 'KEY_DIR' };

function commandsPage(): string {
  const sections = commandTree([]).map(
    (path) => `## skerry${path.map((word) => ` ${word}`).join('')}\n\n\`\`\`\n${help(path)}\n\`\`\`\n`,
  );
  return `# Commands

${GENERATED}

In a checkout, \`npx skerry\` or \`./bin/skerry\`; in a release, \`./skerry\`; after \`skerry install\`, \`/opt/skerry/skerry\`. Results go to
standard output, everything else to standard error. Exit code 0 is success; 1 comes with one sentence that says why.

\`DATA_DIR\` is \`.skerry/\` in a checkout, \`/var/lib/skerry\` for root and \`~/.skerry\` for others in a release; \`KEY_DIR\` is
\`.skerry-keys/\`, \`/etc/skerry/keys\` or \`~/.config/skerry/keys\`. The variables \`SKERRY_DATA_DIR\` and \`SKERRY_KEY_DIR\` change them, and
\`SKERRY_TOKEN\` takes the place of \`--token\`, so that no list of processes shows it.

Commands that speak to a cloud find it by \`--kubeconfig\`, else \`--data-dir\`, else the default data directory, else \`KUBECONFIG\`.

${sections.join('\n')}`;
}

/** The command, and below it every command that its help lists. */
function commandTree(path: readonly string[]): readonly (readonly string[])[] {
  const listed = help(path).split('\nCommands:\n')[1] ?? '';
  const names = [...listed.matchAll(/^ {2}([a-z]+)/gm)]
    .map((match) => match[1] ?? '')
    .filter((name) => name !== 'help');
  return [path, ...names.flatMap((name) => commandTree([...path, name]))];
}

function help(path: readonly string[]): string {
  const env = { ...process.env, ...PLACES, COLUMNS: '100', NO_COLOR: '1' };
  const { stdout, status } = spawnSync(join(ROOT, 'bin', 'skerry'), [...path, '--help'], { encoding: 'utf8', env });
  if (status !== 0) throw new Error(`skerry ${path.join(' ')} --help failed`);
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

// ——— kinds ———

/** Kinds that a controller or the agent acts on; the others are kept and served, and nothing follows from them. */
const ACTED_ON = new Set(
  'Namespace Node Pod ConfigMap Secret Service Endpoints EndpointSlice Event ServiceAccount Lease Deployment ReplicaSet ReplicationController DaemonSet StatefulSet Job CronJob HorizontalPodAutoscaler PodDisruptionBudget PersistentVolume PersistentVolumeClaim StorageClass ControllerRevision RuntimeClass PriorityClass Role ClusterRole RoleBinding ClusterRoleBinding CustomResourceDefinition Binding SelfSubjectReview TokenReview LocalSubjectAccessReview SelfSubjectAccessReview SelfSubjectRulesReview SubjectAccessReview JoinToken NodeIdentity'.split(
    ' ',
  ),
);
const EVERY_VERB = 8;

function kindsPage(): string {
  const builtin = builtinKinds().map(({ row }) => line(row));
  return `# Kubernetes reference

${GENERATED}

Skerry speaks the Kubernetes API, version 1.36, to every client. Tested with \`kubectl\` 1.32 and 1.35.

## Kinds

"Acts" says whether something in Skerry follows from such an object. The others are validated, stored, watched and patched like every
kind, so that charts and tools can be applied, and nothing happens because of them yet. Verbs: all are create, delete,
deletecollection, get, list, patch, update and watch.

| apiVersion | kind | resource | namespaced | verbs | subresources | acts |
|---|---|---|---|---|---|---|
${builtin.join('\n')}

Kinds of Skerry's own, installed as CustomResourceDefinitions when a cloud starts:

| apiVersion | kind | resource | namespaced | what it is |
|---|---|---|---|---|
${ownDefinitions().map(ownLine).join('\n')}

Custom kinds of yours: structural schemas with defaults, pruning, validation and rules in CEL (\`x-kubernetes-validations\`),
\`status\` and \`scale\`, printer columns, selectable fields, several versions without conversion.

${behaviour()}`;
}

function line({ gvr, gvk, namespaced, verbs, subresources, shortNames }: ResourceRow): string {
  const names = [gvr.resource, ...shortNames].join(', ');
  const said = verbs.length === EVERY_VERB ? 'all' : verbs.join(', ');
  const cells = [
    formatApiVersion(gvk),
    gvk.kind,
    names,
    namespaced ? 'yes' : 'no',
    said,
    subresources.join(', '),
    ACTED_ON.has(gvk.kind) ? 'yes' : '',
  ];
  return `| ${cells.join(' | ')} |`;
}

/** What the cloud installs, for `kubectl apply -f deploy/crds` on a real cluster. */
function ownDefinitions(): readonly KubeObject[] {
  return [...securityCrds(), ...imageCrds(), ...deviceCrds(), ...streamCrds()];
}

function yamlOf(definition: KubeObject): string {
  const lines = stringify(definition, { aliasDuplicateObjects: false, lineWidth: 0 });
  return `# Written by scripts/generate-docs.ts.\n${lines}`;
}

interface Definition {
  readonly spec?: {
    readonly group: string;
    readonly scope: string;
    readonly names: { readonly kind: string; readonly plural: string };
    readonly versions: readonly {
      readonly name: string;
      readonly schema?: { readonly openAPIV3Schema?: { readonly description?: string } };
    }[];
  };
}

function ownLine(definition: object): string {
  const { spec } = definition as Definition;
  const [version] = spec?.versions ?? [];
  const cells = [
    `${spec?.group}/${version?.name}`,
    spec?.names.kind,
    spec?.names.plural,
    spec?.scope === 'Namespaced' ? 'yes' : 'no',
    version?.schema?.openAPIV3Schema?.description ?? '',
  ];
  return `| ${cells.join(' | ')} |`;
}

function behaviour(): string {
  return readFileSync(join(ROOT, 'scripts', 'reference', 'kubernetes-behaviour.md'), 'utf8');
}

// ——— main ———

async function main(isCheck: boolean): Promise<number> {
  await buildBundles();
  const stale = Object.entries(PAGES).filter(([path, write]) => readOr(join(ROOT, path)) !== write());
  if (isCheck) {
    for (const [path] of stale) say(`${path} is not what the program says; run: npm run generate:docs`);
    return stale.length === 0 ? 0 : 1;
  }
  for (const [path, write] of stale) writeFileSync(join(ROOT, path), write());
  return 0;
}

function readOr(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

if (import.meta.main) process.exitCode = await main(process.argv.includes('--check'));
