/** The tables of what is done with deployments and with pods. `file` gives the path of a manifest. */
import type { Step } from './scenario.ts';

const SIZED = JSON.stringify({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'sized' },
  spec: {
    containers: [
      { name: 'main', image: 'host', command: ['sleep', '1000'], resources: { requests: { memory: '10Mi' } } },
    ],
  },
});

export function deploymentSteps(file: (name: string) => string): readonly Step[] {
  return [
    { line: `apply -f ${file('web.json')}`, out: /^deployment.apps\/web created$/m },
    { line: 'rollout status deployment/web --timeout=60s', out: /^deployment "web" successfully rolled out$/m },
    {
      line: 'get deployment web -o wide',
      out: /^NAME +READY +UP-TO-DATE +AVAILABLE +AGE +CONTAINERS +IMAGES +SELECTOR\nweb +2\/2 +2 +2 +\d+s +main +host +app=web\n$/,
    },
    {
      line: 'get pods -l app=web -o wide',
      out: /^NAME +READY +STATUS +RESTARTS +AGE +IP +NODE +NOMINATED NODE +READINESS GATES\n(?:web-\S+ +1\/1 +Running +0 +\d+s +\S+ +edge-1 +<none> +<none>\n){2}$/,
    },
    {
      line: 'get pods --field-selector status.phase=Running,spec.nodeName=edge-1 -o name',
      out: /^(?:pod\/web-\S+\n){2}$/,
    },
    {
      line: 'get all',
      out: /^NAME +READY[\s\S]*^deployment.apps\/web +2\/2[\s\S]*^NAME +DESIRED +CURRENT +READY +AGE\nreplicaset.apps\/web-\S+ +2 +2 +2/m,
    },
    {
      line: 'describe deployment web',
      out: /^Replicas: +2 desired \| 2 updated \| 2 total \| 2 available \| 0 unavailable$/m,
    },
    {
      line: 'describe rs -l app=web',
      out: /^Replicas: +2 current \/ 2 desired$\n^Pods Status: +2 Running \/ 0 Waiting \/ 0 Succeeded \/ 0 Failed$/m,
    },
    {
      line: 'describe pods -l app=web',
      out: /^Controlled By: +ReplicaSet\/web-\S+$[\s\S]*^ {2}Normal +Scheduled +\S+ +default-scheduler +Successfully assigned/m,
    },
    { line: 'logs deployment/web --tail=1', out: /^line \d+\n$/, err: /Found 2 pods, using pod\/web-/ },
    { line: 'logs -l app=web --tail=1 --prefix', out: /^(?:\[pod\/web-\S+\/main\] line \d+\n){2}$/ },
    { line: 'scale deployment/web --replicas=3', out: /^deployment.apps\/web scaled$/m },
    {
      line: 'scale deployment/web --current-replicas=9 --replicas=1',
      err: /Expected replicas to be 9, was 3/,
      code: 1,
    },
    { line: 'wait --for=jsonpath={.status.readyReplicas}=3 deployment/web --timeout=60s', out: /condition met$/m },
    { line: 'set env deployment/web COLOR=red', out: /^deployment.apps\/web env updated$/m },
    { line: 'rollout status deployment/web --timeout=60s', out: /successfully rolled out$/m },
    // Events come in their own time; by now the first ones are there.
    { line: 'describe deployment web', out: /^ {2}Normal +ScalingReplicaSet /m },
    { line: 'set env deployment/web --list', out: /^COLOR=red$/m },
    { line: 'set image deployment/web main=host:other', out: /^deployment.apps\/web image updated$/m },
    { line: 'rollout undo deployment/web', out: /^deployment.apps\/web rolled back$/m },
    { line: 'rollout undo deployment/web --to-revision=1', out: /^deployment.apps\/web rolled back$/m },
    { line: 'rollout status deployment/web --timeout=60s', out: /successfully rolled out$/m },
    {
      line: 'rollout history deployment/web',
      out: /^deployment.apps\/web \nREVISION +CHANGE-CAUSE\n(?:\d+ +<none>\n)+/,
    },
    {
      line: 'rollout history deployment/web --revision=5',
      out: /^deployment.apps\/web with revision #5\nPod Template:\n/,
    },
    { line: 'rollout pause deployment/web', out: /^deployment.apps\/web paused$/m },
    { line: 'rollout pause deployment/web', err: /is already paused/, code: 1 },
    { line: 'rollout restart deployment/web', err: /can't restart paused deployment/, code: 1 },
    { line: 'rollout resume deployment/web', out: /^deployment.apps\/web resumed$/m },
    { line: 'rollout restart deployment/web', out: /^deployment.apps\/web restarted$/m },
    { line: 'rollout status deployment/web --timeout=60s', out: /successfully rolled out$/m },
    { line: 'expose deployment web --port=80 --target-port=8080', out: /^service\/web exposed$/m },
    {
      line: 'get service web',
      out: /^NAME +TYPE +CLUSTER-IP +EXTERNAL-IP +PORT\(S\) +AGE\nweb +ClusterIP +[\d.]+ +<none> +80\/TCP +\d+s\n$/,
    },
    {
      line: 'wait --for=jsonpath={.endpoints[0].conditions.ready}=true endpointslice -l kubernetes.io/service-name=web --timeout=20s',
      out: /condition met/,
    },
    {
      line: 'describe service web',
      out: /^Selector: +app=web$[\s\S]*^TargetPort: +8080\/TCP$\n^Endpoints: +[\d.]+:8080/m,
    },
    { line: 'delete deployment web --cascade=orphan', out: /deleted/ },
    { line: 'get pods -l app=web -o name', out: /^(?:pod\/web-\S+\n){3}$/ },
    { line: `apply -f ${file('web.json')}`, out: /created$/m },
    { line: 'rollout status deployment/web --timeout=60s', out: /successfully rolled out$/m },
    { line: 'delete deployment web --cascade=foreground --timeout=60s', out: /deleted/ },
    { line: 'get deployments,rs,pods -l app=web', err: /^No resources found/ },
    { line: `apply -f ${file('daemon.json')}`, out: /^daemonset.apps\/daemon created$/m },
    { line: 'rollout status daemonset/daemon --timeout=60s', out: /successfully rolled out$/m },
    { line: 'get ds', out: /^daemon +1 +1 +1 +1 +1 +<none> /m },
    { line: 'delete ds daemon --cascade=background', out: /deleted/ },
    { line: 'wait --for=delete pod -l app=daemon --timeout=60s' },
  ];
}

export function podSteps(file: (name: string) => string): readonly Step[] {
  return [
    {
      line: 'run once --image=host --restart=Never --command -- sh -c \'echo "hi there"; exit 3\'',
      out: /^pod\/once created$/m,
    },
    { line: 'wait --for=jsonpath={.status.phase}=Failed pod/once --timeout=30s', out: /condition met$/m },
    { line: 'get pod once', out: /^once +0\/1 +Error +0 /m },
    { line: 'logs once', out: /^hi there\n$/ },
    { line: 'logs once --timestamps', out: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z hi there\n$/ },
    { line: 'logs once --since=1h', out: /^hi there\n$/ },
    { line: 'logs once --limit-bytes=2', out: /^hi$/ },
    { line: 'logs once -c nope', err: /container nope is not valid for pod once/, code: 1 },
    {
      line: 'logs once --previous',
      err: /previous terminated container "main|once" in pod "once" not found/,
      code: 1,
    },
    {
      line: 'run --rm -i passing --image=host --restart=Never --command -- cat',
      input: 'through\n',
      out: /^through$/m,
    },
    { line: `create -f ${file('fails-once.json')}` },
    { line: 'wait --for=jsonpath={.status.containerStatuses[0].restartCount}=1 pod/fails-once --timeout=60s' },
    { line: 'wait --for=condition=Ready pod/fails-once --timeout=60s', out: /^pod\/fails-once condition met$/m },
    { line: 'logs fails-once --previous', out: /^first\n$/ },
    { line: 'get pod fails-once', out: /^fails-once +1\/1 +Running +1 \(\d+s ago\) +\d+s$/m },
    { line: 'describe pod fails-once', out: /^ {4}Last State: +Terminated\n {6}Reason: +Error\n {6}Exit Code: +1$/m },
    {
      line: 'events --for pod/fails-once',
      out: /^LAST SEEN +TYPE +REASON +OBJECT +MESSAGE\n[\s\S]*Pod\/fails-once/m,
    },
    {
      line: 'get events --field-selector involvedObject.name=once,reason=Scheduled',
      out: /^LAST SEEN +TYPE +REASON +OBJECT +MESSAGE\n\S+ +Normal +Scheduled +pod\/once +Successfully assigned \S+ to edge-1\n$/,
    },
    {
      line: 'wait --for=condition=Nonsense pod/fails-once --timeout=100ms',
      err: /timed out waiting for the condition on pods\/fails-once/,
      code: 1,
    },
    { line: "debug fails-once --image=host --profile=general -c look -- sh -c 'echo looked; sleep 1000'" },
    {
      line: 'wait --for=jsonpath={.status.ephemeralContainerStatuses[0].state.running.startedAt} pod/fails-once --timeout=30s',
      out: /condition met$/m,
    },
    { line: 'logs fails-once -c look', out: /^looked\n$/ },
    { line: "exec fails-once -c look -- echo 'still here'", out: /^still here\n$/ },
    { line: 'create -f -', input: SIZED, out: /^pod\/sized created$/m },
    { line: 'wait --for=condition=Ready pod/sized --timeout=30s' },
    {
      line: `patch pod sized --subresource resize -p '{"spec":{"containers":[{"name":"main","resources":{"requests":{"memory":"20Mi"}}}]}}'`,
      out: /^pod\/sized patched$/m,
    },
    {
      line: 'wait --for=jsonpath={.status.containerStatuses[0].allocatedResources.memory}=20Mi pod/sized --timeout=30s',
      out: /condition met$/m,
    },
    { line: 'delete pod sized --grace-period=1', out: /deleted/ },
    { line: 'delete pod once fails-once --grace-period=1', out: /"once" deleted[\s\S]*"fails-once" deleted/ },
    { line: `create -f ${file('stubborn.json')}` },
    { line: 'wait --for=condition=Ready pod/stubborn --timeout=30s' },
    { line: 'delete pod stubborn --wait=false', out: /deleted/ },
    { line: 'get pod stubborn', out: /^stubborn +1\/1 +Terminating /m },
    { line: 'wait --for=delete pod/stubborn --timeout=30s', out: /condition met$/m },
    { line: `create -f ${file('stubborn.json')}` },
    { line: 'wait --for=condition=Ready pod/stubborn --timeout=30s' },
    { line: 'delete pod stubborn --force --grace-period=0', err: /Immediate deletion does not wait/ },
    { line: 'get pod stubborn', err: /NotFound/, code: 1 },
  ];
}
