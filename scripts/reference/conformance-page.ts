/** The page of requirements that Kubernetes publishes: how many have a case of ours, and what each states. */
import { CATALOGUE } from '../../test/conformance/catalogue.ts';
import type { Entry } from '../../test/conformance/requirement.ts';

export function conformancePage(generated: string): string {
  const groups = Object.entries(CATALOGUE);
  return `# Requirements of Kubernetes

${generated}

Kubernetes publishes what a cluster must do, each under a name. These are the requirements of 1.36 that an API server with its
controllers meets without a node, and those that need nodes and no image from a registry. Each has a case in \`test/conformance/\`
that \`npm test\` runs against a cloud of its own, and \`npm run test:kubernetes -- --kubeconfig FILE\` against any cluster.
These are counts of cases that pass, and not a certificate.

| requirements | published | with a case that passes | without |
|---|---|---|---|
${groups.map(([group, entries]) => countLine(group, entries)).join('\n')}
${groups.map(([group, entries]) => section(group, entries)).join('')}`;
}

function countLine(group: string, entries: readonly Entry[]): string {
  const lacking = entries.filter((entry) => 'missing' in entry).length;
  return `| ${group.toLowerCase()} | ${entries.length} | ${entries.length - lacking} | ${lacking} |`;
}

function section(group: string, entries: readonly Entry[]): string {
  const lines = [...entries]
    .sort((left, right) => (left.name < right.name ? -1 : 1))
    .map((entry) => `| ${entry.name} | ${'missing' in entry ? `**no case yet**: ${entry.missing}` : entry.states} |`);
  return `\n## ${group}\n\n| name | what it demands |\n|---|---|\n${lines.join('\n')}\n`;
}
