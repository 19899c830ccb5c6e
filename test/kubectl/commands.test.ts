/** Every command that we promise, with the oldest and the newest kubectl that we promise it to. */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { eventually, freePort, requireSystem, TestCloud, TestEdge } from '@skerry/testkit/processes';
import { writeManifests } from './manifests.ts';
import { Scenario, type Step } from './scenario.ts';
import { deploymentSteps, podSteps } from './workloads.ts';

const work = mkdtempSync(join(tmpdir(), 'skerry-kubectl-'));
const file = (name: string) => join(work, name);
let cloud: TestCloud;
let edge: TestEdge;
let port: number;

before(async () => {
  port = await freePort();
  writeManifests(work, port);
  cloud = await TestCloud.start();
  edge = await TestEdge.join(cloud, { name: 'edge-1' });
  await cloud.kubectl(['wait', '--for=condition=Ready', 'node/edge-1', '--timeout=30s']);
});
after(async () => {
  await edge?.[Symbol.asyncDispose]();
  await cloud?.[Symbol.asyncDispose]();
  rmSync(work, { recursive: true, force: true });
});

for (const version of ['1.32', '1.35'] as const) {
  describe(`kubectl ${version}`, () => {
    let kubectl: Scenario;
    const steps = (name: string, table: () => readonly Step[]): void =>
      void test(name, async (t) => {
        if (requireSystem(t, 'bubblewrap')) await kubectl.run(table());
      });

    before(async () => {
      kubectl = new Scenario(cloud, version, work);
      await cloud.kubectl(['create', 'namespace', kubectl.namespace]);
    });
    after(() => cloud.kubectl(['delete', 'namespace', kubectl.namespace, '--timeout=60s']));

    steps('the server says what it is and what it serves', () => [
      { line: 'version', out: /^Server Version: v1\.\d+\.\d+/m },
      { line: 'cluster-info', out: /control plane.* is running at .*https:\/\/127\.0\.0\.1:\d+/ },
      { line: 'api-versions', out: /^apps\/v1\n(?:.*\n)*v1\n/m },
      { line: 'api-resources', out: /^deployments +deploy +apps\/v1 +true +Deployment$/m },
      { line: 'api-resources --namespaced=false -o name', out: /^nodes$/m },
      {
        line: 'api-resources -o wide',
        out: /^pods +po +v1 +true +Pod +create,delete,deletecollection,get,list,patch,update,watch +all$/m,
      },
      {
        line: 'auth whoami',
        out: /^ATTRIBUTE +VALUE\nUsername +kubernetes-admin\nGroups +\[system:masters system:authenticated\]/,
      },
      { line: 'auth can-i create pods', out: /^yes$/m },
      { line: 'auth can-i create pods --as=nobody', out: /^no$/m, code: 1 },
      { line: 'auth can-i --list', out: /^\*\.\* +\[\] +\[\] +\[\*\]$/m },
      { line: 'get --raw /readyz', out: /^ok$/ },
      { line: 'get nonsense', err: /the server doesn't have a resource type "nonsense"/, code: 1 },
    ]);

    steps('kinds are explained', () => [
      { line: 'explain pod', out: /^KIND: +Pod\nVERSION: +v1\n[\s\S]*^ {2}spec\t<PodSpec>$/m },
      { line: 'explain deployment.spec.strategy.type', out: /^FIELD: type <string>$/m },
      { line: 'explain pod --recursive', out: /^ +containers\t<\[\]Container> -required-$/m },
      { line: 'explain pod.spec.nonsense', err: /field "nonsense" does not exist/, code: 1 },
    ]);

    steps('objects are created, read in every form, and deleted', () => [
      { line: 'create configmap c --from-literal=a=1 --from-literal=b=2', out: /^configmap\/c created$/m },
      { line: 'create configmap c', err: /configmaps "c" already exists/, code: 1 },
      { line: 'create secret generic s --from-literal=p=hidden', out: /^secret\/s created$/m },
      { line: 'create serviceaccount bot', out: /^serviceaccount\/bot created$/m },
      { line: 'create token bot', out: /^[\w-]+\.[\w-]+\.[\w-]+\n?$/ },
      { line: 'create role reader --verb=get --resource=pods', out: /^role.rbac.authorization.k8s.io\/reader created/ },
      {
        line: `create rolebinding readers --role=reader --serviceaccount=${kubectl.namespace}:bot`,
        out: /readers created/,
      },
      { line: `auth can-i get pods --as=system:serviceaccount:${kubectl.namespace}:bot`, out: /^yes$/m },
      { line: `auth can-i delete pods --as=system:serviceaccount:${kubectl.namespace}:bot`, out: /^no$/m, code: 1 },
      { line: 'get configmap c', out: /^NAME +DATA +AGE\nc +2 +\d+s\n$/ },
      {
        line: 'get configmap c -o yaml',
        out: /^apiVersion: v1\ndata:\n {2}a: "1"\n {2}b: "2"\nkind: ConfigMap\nmetadata:\n/,
      },
      { line: 'get configmap c -o jsonpath={.data.a}', out: /^1$/ },
      { line: 'get configmap -o name', out: /^configmap\/c\nconfigmap\/kube-root-ca.crt\n$/ },
      {
        line: 'get cm -o custom-columns=NAME:.metadata.name,A:.data.a',
        out: /^NAME +A\nc +1\nkube-root-ca.crt +<none>\n$/,
      },
      { line: 'get cm --field-selector metadata.name=c --no-headers', out: /^c +2 +\d+s\n$/ },
      { line: 'get cm --sort-by=.metadata.name -o name', out: /^configmap\/c\nconfigmap\/kube-root-ca.crt\n$/ },
      {
        line: 'get cm,secret',
        out: /^NAME +DATA +AGE\nconfigmap\/c [\s\S]*^NAME +TYPE +DATA +AGE\nsecret\/s +Opaque +1 /m,
      },
      { line: 'get cm nope', err: /^Error from server \(NotFound\): configmaps "nope" not found$/m, code: 1 },
      { line: 'get cm nope --ignore-not-found', out: /^$/ },
      { line: 'get cm --field-selector data.a=1', err: /field label not supported: data.a/, code: 1 },
      { line: 'get pods', err: new RegExp(`^No resources found in ${kubectl.namespace} namespace\\.$`, 'm') },
      { line: 'describe configmap c', out: /^Name: +c\n[\s\S]*^Data\n====\n[\s\S]*^a:\n----\n1\n/m },
      { line: 'describe secret s', out: /^Type: +Opaque\n\nData\n====\np: +6 bytes$/m },
      { line: 'describe role reader', out: /^ {2}pods +\[\] +\[\] +\[get\]$/m },
      { line: 'describe rolebinding readers', out: /^ {2}ServiceAccount +bot /m },
      { line: 'label configmap c tier=low', out: /^configmap\/c labeled$/m },
      {
        line: 'label configmap c tier=high',
        err: /'tier' already has a value \(low\), and --overwrite is false/,
        code: 1,
      },
      { line: 'get cm -l tier=low -L tier', out: /^NAME +DATA +AGE +TIER\nc +2 +\d+s +low\n$/ },
      { line: "get cm -l 'tier notin (low)' -o name", out: /^configmap\/kube-root-ca.crt\n$/ },
      { line: 'label configmap c tier-', out: /^configmap\/c unlabeled$/m },
      { line: 'annotate configmap c note=hello', out: /^configmap\/c annotated$/m },
      { line: 'get cm --show-labels', out: /^c +2 +\d+s +<none>$/m },
      { line: 'delete cm c', out: /^configmap "c" deleted/m },
      { line: 'delete cm c', err: /\(NotFound\): configmaps "c" not found/, code: 1 },
      { line: 'delete secret --all', out: /^secret "s" deleted/m },
      { line: 'delete cm -l tier=nothing', out: /^No resources found$/m },
    ]);

    steps('every way to change an object', () => [
      { line: `apply -f ${file('settings.json')}`, out: /^configmap\/settings created$/m },
      { line: `apply -f ${file('settings.json')}`, out: /^configmap\/settings unchanged$/m },
      { line: `diff -f ${file('settings-blue.json')}`, out: /^- {2}color: red\n\+ {2}color: blue$/m, code: 1 },
      { line: `diff -f ${file('settings.json')}`, out: /^$/ },
      { line: `apply -f ${file('settings-blue.json')}`, out: /^configmap\/settings configured$/m },
      { line: `apply -f ${file('settings-unknown.json')}`, err: /unknown field "date"/, code: 1 },
      { line: `apply --validate=warn -f ${file('settings-unknown.json')}`, err: /^Warning: unknown field "date"$/m },
      {
        line: `apply -f ${file('settings.json')} --dry-run=server`,
        out: /^configmap\/settings configured \(server dry run\)$/m,
      },
      { line: `apply view-last-applied cm/settings`, out: /^kind: ConfigMap$/m },
      { line: `replace -f ${file('settings.json')}`, out: /^configmap\/settings replaced$/m },
      {
        line: 'patch cm settings --type=json -p [{"op":"replace","path":"/data/color","value":"grey"}]',
        out: /patched$/m,
      },
      {
        line: 'patch cm settings --type=json -p [{"op":"test","path":"/data/color","value":"x"}]',
        err: /test/,
        code: 1,
      },
      { line: 'patch cm settings --type=merge -p {"data":{"size":"9"}}', out: /patched$/m },
      { line: 'patch cm settings -p {"data":{"size":null}}', out: /patched$/m },
      { line: 'patch cm settings -p {"data":{"size":null}}', out: /patched \(no change\)$/m },
      { line: 'get cm settings -o jsonpath={.data}', out: /^\{"color":"grey"\}$/ },
      { line: 'edit cm settings', env: { EDITOR: editor('s/grey/pink/') }, out: /^configmap\/settings edited$/m },
      { line: 'edit cm settings', env: { EDITOR: editor('s/nothing/x/') }, err: /Edit cancelled, no changes made\./ },
      { line: 'get cm settings -o jsonpath={.data.color}', out: /^pink$/ },
      {
        line: 'replace -f -',
        input: stale(),
        err: /Error from server \(Conflict\): .*the object has been modified; please apply your changes to the latest version and try again/,
        code: 1,
      },
      {
        line: `replace --force -f ${file('settings.json')}`,
        out: /configmap "settings" deleted[\s\S]*configmap\/settings replaced/,
      },
      { line: 'delete cm settings', out: /deleted/ },
      { line: `apply -k ${file('overlay')}`, out: /^configmap\/over-settings created$/m },
      { line: `kustomize ${file('overlay')}`, out: /^ {2}name: over-settings$/m },
      { line: `delete -k ${file('overlay')}`, out: /^configmap "over-settings" deleted/m },
    ]);

    steps('server-side apply knows who owns what', () => [
      { line: `apply --server-side -f ${file('settings.json')}`, out: /^configmap\/settings serverside-applied$/m },
      {
        line: `apply --server-side --field-manager=other -f ${file('settings-blue.json')}`,
        err: /Apply failed with 1 conflict: conflict with "kubectl": \.data\.color/,
        code: 1,
      },
      { line: `diff --server-side -f ${file('settings-blue.json')}`, out: /^\+ {2}color: blue$/m, code: 1 },
      {
        line: `apply --server-side --field-manager=other --force-conflicts -f ${file('settings-blue.json')}`,
        out: /serverside-applied/,
      },
      {
        line: 'get cm settings -o jsonpath={.metadata.managedFields[*].manager} --show-managed-fields',
        out: /^other$/,
      },
      {
        line: `apply -f ${file('settings.json')}`,
        err: /missing the kubectl.kubernetes.io\/last-applied-configuration annotation/,
      },
      { line: `apply --server-side --force-conflicts -f ${file('settings.json')}`, out: /serverside-applied/ },
      { line: 'delete cm settings', out: /deleted/ },
    ]);

    steps('a deployment is rolled out, looked at, scaled and rolled back', () => deploymentSteps(file));

    steps('pods are run, waited for and deleted with their grace', () => podSteps(file));

    steps('nodes are described, cordoned, tainted and drained', () => [
      {
        line: 'get nodes -o wide --field-selector metadata.name=edge-1',
        out: /^NAME +STATUS +ROLES +AGE +VERSION +INTERNAL-IP +EXTERNAL-IP +OS-IMAGE +KERNEL-VERSION +CONTAINER-RUNTIME\nedge-1 +Ready +<none> +\S+ +v\S+ +[\d.]+ +<none> /,
      },
      {
        line: 'describe node edge-1',
        out: /^Lease:\n {2}HolderIdentity: +edge-1$[\s\S]*^ {2}Ready +True [\s\S]*^Capacity:\n {2}cpu: +\d+$[\s\S]*^Non-terminated Pods: /m,
      },
      { line: `create -f ${file('node.json')}`, out: /^node\/paper created$/m },
      { line: 'cordon paper', out: /^node\/paper cordoned$/m },
      { line: 'cordon paper', out: /already cordoned/ },
      { line: 'get node paper', out: /^paper +\S+,SchedulingDisabled /m },
      { line: 'uncordon paper', out: /^node\/paper uncordoned$/m },
      { line: 'taint node paper role=special:NoSchedule', out: /^node\/paper tainted$/m },
      { line: 'describe node paper', out: /^Taints:[^:]*:NoSchedule\n +role=special:NoSchedule$/m },
      { line: 'taint node paper role-', out: /^node\/paper untainted$/m },
      { line: 'drain paper --ignore-daemonsets', out: /^node\/paper drained$/m },
      { line: 'delete node paper', out: /^node "paper" deleted$/m },
    ]);

    // Last, because kubectl keeps what it learnt of the kinds and would ask for these again.
    steps('kinds of your own', () => [
      {
        line: `apply -f ${file('widgets.json')}`,
        out: /^customresourcedefinition.apiextensions.k8s.io\/widgets.shop.example.com created$/m,
      },
      { line: 'wait --for=condition=Established crd/widgets.shop.example.com --timeout=20s', out: /condition met$/m },
      { line: 'explain widget.spec.size', out: /^FIELD: size <integer>[\s\S]*How large it is\./m },
      {
        line: `create -f ${file('widget-unknown.json')}`,
        err: /strict decoding error: unknown field "spec.bogus"/,
        code: 1,
      },
      { line: `apply -f ${file('widget.json')}`, out: /^widget.shop.example.com\/big created$/m },
      { line: 'get wd', out: /^NAME +SIZE\nbig +3\n$/ },
      { line: 'get wd big -o jsonpath={.spec.color}', out: /^blue$/ },
      { line: 'scale wd/big --replicas=5', out: /^widget.shop.example.com\/big scaled$/m },
      {
        line: 'patch wd big --type=merge -p {"spec":{"size":0}}',
        err: /The Widget "big" is invalid: spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1/,
        code: 1,
      },
      {
        line: 'patch wd big --type=merge -p {"spec":{"size":2,"color":"red"}}',
        err: /^The Widget "big" is invalid: spec: Invalid value: "object": what is red is large$/m,
        code: 1,
      },
      { line: 'patch wd big -p {"spec":{"size":2}}', err: /strategic-merge-patch/, code: 1 },
      { line: 'describe wd big', out: /^Spec:\n {2}Color: +blue\n {2}Size: +5\n/m },
      { line: `delete -f ${file('widgets.json')}`, out: /"widgets.shop.example.com" deleted/ },
      {
        line: 'get wd',
        err: /the server (?:doesn't have a resource type|could not find the requested resource)/,
        code: 1,
      },
    ]);

    test('a watch tells what happens, as a table', async () => {
      await using watch = kubectl.start('get configmaps -w --field-selector metadata.name=watched');
      await kubectl.run([{ line: 'create configmap watched --from-literal=a=1' }]);
      await watch.says(/^NAME +DATA +AGE\nwatched +1 +\d+s$/m);
      await kubectl.run([{ line: 'patch cm watched -p {"data":{"b":"2"}}' }]);
      await watch.says(/^watched +2 +\d+s$/m);
      await using deletion = kubectl.start('wait --for=delete cm/watched --timeout=30s');
      await kubectl.run([{ line: 'delete cm watched' }]);
      assert.equal(await deletion.ended(), 0, deletion.text);
    });

    test('a running pod is entered, followed, copied to, attached to and reached', async (t) => {
      if (!requireSystem(t, 'bubblewrap')) return;
      const there = `/tmp/skerry-kubectl-${process.pid}`;
      writeFileSync(file('big'), 'x'.repeat(200_000));
      await kubectl.run([
        { line: `create -f ${file('listener.json')} -f ${file('server.json')}` },
        { line: 'wait --for=condition=Ready pod/listener pod/server --timeout=30s' },
        { line: "exec listener -- sh -c 'echo out; echo err >&2; exit 4'", out: /^out\n$/, err: /^err$/m, code: 4 },
        { line: 'exec -i listener -- cat', input: 'in and out\n', out: /^in and out\n$/ },
        { line: 'exec listener -- nonsense-program', err: /nonsense-program/, code: 127 },
        { line: 'exec nope -- true', err: /\(NotFound\): pods "nope" not found/, code: 1 },
        { line: `cp ${file('big')} listener:${there}` },
        { line: `cp listener:${there} ${file('back')}` },
        { line: `exec listener -- rm ${there}` },
      ]);
      assert.equal(readFileSync(file('back'), 'utf8').length, 200_000);
      await checkTerminal(kubectl);
      await checkAttach(kubectl);
      await checkPortForward(kubectl);
      await kubectl.run([{ line: 'delete pod listener server --timeout=60s' }]);
    });
  });
}

async function checkTerminal(kubectl: Scenario): Promise<void> {
  await using terminal = kubectl.startOnTerminal(
    `exec -it listener -- sh -c 'tty; stty size; echo ready; read x; echo got-$x; exit 5'`,
  );
  await terminal.says(/\/dev\/pts\/\d+[\s\S]*33 101[\s\S]*ready/);
  terminal.write('typed\r');
  await terminal.says(/got-typed/);
  assert.equal(await terminal.ended(), 5, terminal.text);
}

async function checkAttach(kubectl: Scenario): Promise<void> {
  await using log = kubectl.start('logs -f listener');
  await using attached = kubectl.start('attach -i listener');
  attached.write('word\n');
  await attached.says(/^heard word$/m);
  await log.says(/^heard word$/m);
}

async function checkPortForward(kubectl: Scenario): Promise<void> {
  await using forward = kubectl.start(`port-forward pod/server :${port}`);
  const [, local] = await forward.says(/127\.0\.0\.1:(\d+) -> \d+/);
  assert.equal(await eventually('an answer', () => fetchText(Number(local))), 'hello');
}

function fetchText(at: number): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ port: at, host: '127.0.0.1' }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve(text));
    }).on('error', reject);
  });
}

/** An editor that applies one sed command to whatever it is given. */
function editor(command: string): string {
  const path = file('editor.sh');
  const own = `${path}.${command.replaceAll(/\W/g, '_')}`;
  writeFileSync(own, `#!/bin/sh\nexec sed -i '${command}' "$1"\n`);
  chmodSync(own, 0o755);
  return own;
}

function stale(): string {
  const metadata = { name: 'settings', resourceVersion: '1' };
  return JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data: {} });
}
