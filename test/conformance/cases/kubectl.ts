/** What people do with kubectl, where no pod needs to run. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type RequestOptions, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { kubectlPath } from '@skerry/testkit/processes';
import type { Lab } from '../lab.ts';
import { type Requirement, requirement } from '../requirement.ts';
import { podSpec, replicated } from '../workloads.ts';

const KUBECTL = '[sig-cli] Kubectl client';

export const KUBECTL_CASES: readonly Requirement[] = [
  requirement(
    `${KUBECTL} Kubectl api-versions should check if v1 is in available api versions`,
    'api-versions lists v1',
    async (lab) => {
      assert.ok((await lab.kubectl(['api-versions'])).split('\n').includes('v1'));
    },
  ),
  requirement(
    `${KUBECTL} Kubectl cluster-info should check if Kubernetes control plane services is included in cluster-info`,
    'cluster-info says where the control plane is',
    async (lab) => {
      assert.match(await lab.kubectl(['cluster-info']), /Kubernetes control plane.* is running at .*https:\/\//);
    },
  ),
  requirement(
    `${KUBECTL} Kubectl version should check is all data is printed`,
    'version prints the version of the client and of the server, with all its fields',
    async (lab) => {
      assert.match(await lab.kubectl(['version']), /Client Version: v[\s\S]*Server Version: v/);
      const { serverVersion } = JSON.parse(await lab.kubectl(['version', '-o', 'json'])) as {
        serverVersion: Record<string, string>;
      };
      for (const field of [
        'major',
        'minor',
        'gitVersion',
        'gitCommit',
        'buildDate',
        'platform',
        'goVersion',
        'compiler',
      ])
        assert.ok(field in serverVersion, field);
    },
  ),
  requirement(
    `${KUBECTL} Kubectl diff should check if kubectl diff finds a difference for Deployments`,
    'diff exits with 1 and shows what would change of a Deployment',
    async (lab) => {
      const manifest = JSON.stringify(lab.of('Deployment').whole(replicated(lab, 'deployment', 1)));
      await lab.kubectl(['apply', '-f', '-'], { input: manifest });
      const input = manifest.replace(lab.image, 'busybox:of-the-suite');
      const { code, stdout } = await lab.tryKubectl(['diff', '-f', '-'], { input });
      assert.equal(code, 1);
      assert.match(stdout, /^\+ +(?:- )?image: busybox:of-the-suite$/m);
    },
  ),
  requirement(
    `${KUBECTL} Kubectl server-side dry-run should check if kubectl can dry-run update Pods`,
    'a patch with --dry-run=server is accepted and changes nothing',
    async (lab) => {
      await lab.of('Pod').create({ metadata: { name: 'pod' }, spec: podSpec(lab) });
      const patch = { spec: { containers: [{ name: 'main', image: 'busybox:of-the-suite' }] } };
      const args = [
        'patch',
        'pod',
        'pod',
        '-p',
        JSON.stringify(patch),
        '--dry-run=server',
        '-o',
        'jsonpath={.spec.containers[0].image}',
      ];
      assert.equal(await lab.kubectl(args), 'busybox:of-the-suite');
      assert.equal((await lab.of('Pod').get('pod')).spec?.containers[0]?.image, lab.image);
    },
  ),
  requirement(
    `${KUBECTL} Proxy server should support proxy with --port 0`,
    'proxy --port 0 serves the API on a port that it names',
    async (lab) => {
      await using proxy = await startProxy(lab, ['--port=0', '--disable-filter=true']);
      const port = /127\.0\.0\.1:(\d+)/.exec(proxy.said)?.[1];
      assert.match(await answerOf({ host: '127.0.0.1', port, path: '/api/' }), /"kind": ?"APIVersions"/);
    },
  ),
  requirement(
    `${KUBECTL} Proxy server should support --unix-socket=/path`,
    'proxy --unix-socket serves the API on that socket',
    async (lab) => {
      const folder = mkdtempSync(join(tmpdir(), 'conformance-'));
      try {
        const socketPath = join(folder, 'proxy.sock');
        await using _proxy = await startProxy(lab, [`--unix-socket=${socketPath}`]);
        assert.match(await answerOf({ socketPath, path: '/api/' }), /"kind": ?"APIVersions"/);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  ),
];

interface Proxy extends AsyncDisposable {
  /** Its first words. */
  readonly said: string;
}

async function startProxy(lab: Lab, args: readonly string[]): Promise<Proxy> {
  const all = [`--kubeconfig=${lab.api.kubeconfig}`, 'proxy', ...args];
  const child = spawn(kubectlPath(), all, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  return { said: said.toString(), [Symbol.asyncDispose]: () => end(child) };
}

async function end(child: ChildProcess): Promise<void> {
  const closed = once(child, 'close');
  child.kill();
  await closed;
}

function answerOf(where: RequestOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request(where, (response) => resolve(text(response)));
    sent.on('error', reject);
    sent.end();
  });
}
