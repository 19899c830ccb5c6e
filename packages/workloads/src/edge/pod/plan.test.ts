import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ContainerSnapshot } from '../runtime.ts';
import { type Action, plan } from './plan.ts';
import { needsRestart } from './resize.ts';
import { statusOf } from './status.ts';
import type { Pod, PodSpec, Resources } from './types.ts';
import type { ContainerView, PodResize, PodView } from './view.ts';

const NOW = 1_000_000_000;

type Sketch = Partial<Omit<ContainerView, 'current'>> & {
  readonly resources?: Resources;
  readonly name?: string;
  readonly code?: number;
  readonly reason?: string;
  readonly finished?: number;
  readonly started?: number;
  readonly state?: 'new' | 'running' | 'exited';
  readonly attempt?: number;
};

/** A container as a few words say it; running and well unless they say otherwise. */
function container(sketch: Sketch): ContainerView {
  const {
    name = 'main',
    code,
    reason,
    finished = NOW,
    started = NOW - 1000,
    state = 'running',
    attempt = 0,
    resources,
    ...rest
  } = sketch;
  const exit =
    state === 'exited'
      ? { exit: { code: code ?? 0, finishedAt: finished, ...(reason === undefined ? {} : { reason }) } }
      : {};
  const labels = { namespace: 'default', pod: 'p', uid: 'u', container: name, attempt, graceSeconds: 30, hash: 'h' };
  const current: ContainerSnapshot = { id: `${name}-${attempt}`, labels, logPath: '', startedAt: started, ...exit };
  return {
    container: { name, image: 'host', ...(resources === undefined ? {} : { resources }) },
    role: 'main',
    isStarted: state === 'running',
    isReady: state === 'running',
    hash: 'h',
    ...(state === 'new' ? {} : { current }),
    ...rest,
  };
}

function view(
  containers: readonly Sketch[],
  more: Partial<PodView> & { readonly spec?: Partial<PodSpec> } = {},
): PodView {
  const { spec, ...rest } = more;
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'default', uid: 'u', generation: 1 },
    spec: { containers: [], ...spec },
  };
  return {
    pod,
    now: NOW,
    startTime: NOW - 5000,
    containers: containers.map(container),
    isPrepared: true,
    isPreparing: false,
    podIPs: ['10.0.0.1'],
    hostIPs: ['10.0.0.1'],
    ...rest,
  };
}

function check(given: PodView, expected: readonly string[]): void {
  assert.deepEqual(plan(given).map(word), expected);
}

function word(action: Action): string {
  if (action.type === 'start') return `start ${action.name} ${action.attempt}`;
  if (action.type === 'stop') return `stop ${action.name} ${action.graceSeconds}`;
  if (action.type === 'wake') return `wake ${action.at - NOW}`;
  return action.type === 'fail' ? `fail ${action.reason}` : action.type;
}

const fresh = { state: 'new' } as const;
const never = { spec: { restartPolicy: 'Never' } } as const;

test('a new pod is prepared before anything starts', () => check(view([fresh], { isPrepared: false }), ['prepare']));
test('preparation that failed waits for its time', () =>
  check(view([fresh], { isPrepared: false, prepareProblem: { message: 'x', retryAt: NOW + 500 } }), ['wake 500']));
test('main containers start together', () =>
  check(
    view([
      { ...fresh, name: 'a' },
      { ...fresh, name: 'b' },
    ]),
    ['start a 0', 'start b 0'],
  ));
test('a healthy pod needs nothing', () => check(view([{}]), []));
test('init containers go one after the other', () =>
  check(view([{ name: 'i', role: 'init', state: 'running' }, { ...fresh, name: 'j', role: 'init' }, fresh]), []));
test('a finished init container lets the next one start', () =>
  check(view([{ name: 'i', role: 'init', state: 'exited' }, { ...fresh, name: 'j', role: 'init' }, fresh]), [
    'start j 0',
  ]));
test('a sidecar holds back the rest until it has started', () =>
  check(view([{ name: 's', role: 'sidecar', isStarted: false }, fresh]), []));
test('a started sidecar lets the rest start', () =>
  check(view([{ name: 's', role: 'sidecar' }, fresh]), ['start main 0']));
test('a sidecar that crashes later is restarted beside the running rest', () =>
  check(view([{ name: 's', role: 'sidecar', state: 'exited', code: 1 }, {}]), ['start s 1']));
test('a failed init container of a pod that is never restarted ends the pod', () =>
  check(view([{ name: 'i', role: 'init', state: 'exited', code: 1 }, fresh], never), []));
test('the first restart is at once', () => check(view([{ state: 'exited', code: 1 }]), ['start main 1']));
test('the next restart waits ten seconds from the end', () =>
  check(view([{ state: 'exited', code: 1, attempt: 1, backoff: { delayMs: 10_000, updatedAt: NOW - 1000 } }]), [
    'back-off',
    'wake 10000',
  ]));
test('the owner hears of a wait once', () =>
  check(
    view([
      { state: 'exited', code: 1, attempt: 1, backoff: { delayMs: 10_000, updatedAt: NOW - 1000 }, isBackingOff: true },
    ]),
    ['wake 10000'],
  ));
test('a failed pull is shown for three seconds, then as the wait for the next', () => {
  const problem = (at: number) => ({ reason: 'ErrImagePull', message: 'no', at, retryAt: at + 10_000 });
  check(view([{ ...fresh, problem: problem(NOW - 1000) }]), ['wake 2000', 'wake 9000']);
  check(view([{ ...fresh, problem: problem(NOW - 3000) }]), ['back-off', 'wake 7000']);
  check(view([{ ...fresh, problem: problem(NOW - 3000), isBackingOff: true }]), ['wake 7000']);
  check(view([{ ...fresh, problem: problem(NOW - 10_000), isBackingOff: true }]), ['start main 0']);
});
test('what is no pull is only waited for', () =>
  check(
    view([{ ...fresh, problem: { reason: 'CreateContainerConfigError', message: 'no', at: NOW, retryAt: NOW + 9 } }]),
    ['wake 9'],
  ));
test('ten quiet minutes make it forget', () =>
  check(view([{ state: 'exited', attempt: 7, backoff: { delayMs: 300_000, updatedAt: NOW - 700_000 } }]), [
    'start main 8',
  ]));
test('success ends a pod that restarts on failure', () =>
  check(view([{ state: 'exited' }], { spec: { restartPolicy: 'OnFailure' } }), []));
test('when the main containers are through, sidecars are stopped', () =>
  check(view([{ name: 's', role: 'sidecar' }, { state: 'exited' }], never), ['stop s 30']));
test('a doomed container is stopped with the grace of its probe', () =>
  check(view([{ doom: { message: 'x', graceSeconds: 3 } }]), ['stop main 3']));
test('a changed image restarts the container', () => check(view([{ hash: 'other' }]), ['stop main 30']));
test('running containers are given the resources that their spec says by now, once they can be', () => {
  const ready: PodResize = { isBusy: false, retryAt: 0 };
  const resized = (resize: PodResize, more: Sketch = {}) =>
    view([{ allocated: { requests: { cpu: '1' } }, resources: { requests: { cpu: '2' } }, ...more }], { resize });
  check(resized(ready), ['resize']);
  check(resized({ isBusy: true, retryAt: 0 }), []);
  check(resized({ isBusy: false, retryAt: NOW + 5 }), ['wake 5']);
  check(resized({ isBusy: false, retryAt: Number.POSITIVE_INFINITY }), []);
  check(resized(ready, { resources: { requests: { cpu: '1000m' } } }), []);
  check(resized(ready, { state: 'exited', isBackingOff: true, backoff: { delayMs: 9, updatedAt: NOW } }), ['wake 9']);
});
test('only what a container does not bear while it runs restarts it', () => {
  const restarts = (resources: Resources) =>
    needsRestart(
      { name: 'main', resources, resizePolicy: [{ resourceName: 'memory', restartPolicy: 'RestartContainer' }] },
      { limits: { cpu: '1', memory: '1Gi' } },
    );
  assert.equal(restarts({ limits: { cpu: '2', memory: '1024Mi' } }), false);
  assert.equal(restarts({ limits: { cpu: '1', memory: '2Gi' } }), true);
  assert.equal(restarts({ limits: { cpu: '1' } }), true);
});
test('deletion stops the main containers first', () =>
  check(view([{ name: 's', role: 'sidecar' }, {}], { deletion: { graceSeconds: 7 } }), ['stop main 7']));
test('deletion stops sidecars last to first', () =>
  check(
    view([{ name: 's', role: 'sidecar' }, { name: 't', role: 'sidecar' }, { state: 'exited' }], {
      deletion: { graceSeconds: 7 },
    }),
    ['stop t 7'],
  ));
test('deletion finishes when nothing runs', () =>
  check(view([{ state: 'exited' }], { deletion: { graceSeconds: 7 } }), ['finish']));
test('deletion of a pod that never started finishes at once', () =>
  check(view([fresh], { isPrepared: false, deletion: { graceSeconds: 7 } }), ['finish']));
test('deletion waits for a start that is under way', () =>
  check(view([{ ...fresh, busy: 'starting' }], { deletion: { graceSeconds: 7 } }), []));
test('a pod past its deadline fails, and then stops', () => {
  check(view([{}], { spec: { activeDeadlineSeconds: 5 } }), ['fail DeadlineExceeded']);
  check(view([{}], { failure: { reason: 'DeadlineExceeded', message: '' } }), ['stop main 30']);
});
test('a deadline still ahead wakes the pod then', () =>
  check(view([{}], { spec: { activeDeadlineSeconds: 8 } }), ['wake 3000']));
test('after a reboot init containers run again, without back-off', () =>
  check(
    view([
      { name: 'i', role: 'init', state: 'exited', started: NOW - 9000 },
      { state: 'exited', code: 255, reason: 'NodeRebooted', started: NOW - 8000 },
    ]),
    ['start i 1'],
  ));
test('after a reboot and the init containers the rest starts', () =>
  check(
    view([
      { name: 'i', role: 'init', state: 'exited', started: NOW - 100, attempt: 1 },
      { state: 'exited', code: 255, reason: 'NodeRebooted', started: NOW - 8000 },
    ]),
    ['start main 1'],
  ));

const sketches = fc.record({
  role: fc.constantFrom('init', 'sidecar', 'main', 'ephemeral'),
  state: fc.constantFrom('new', 'running', 'exited'),
  code: fc.constantFrom(0, 1, 137),
  reason: fc.constantFrom('OOMKilled', 'NodeRebooted', 'ContainerStatusUnknown'),
  attempt: fc.nat(3),
  isStarted: fc.boolean(),
  isReady: fc.boolean(),
});
const busy = fc.constantFrom({}, { busy: 'starting' }, { busy: 'stopping' });
const views = fc.record({
  containers: fc.array(fc.tuple(sketches, busy), { minLength: 1, maxLength: 5 }),
  policy: fc.constantFrom('Always', 'OnFailure', 'Never'),
  isPrepared: fc.boolean(),
  ending: fc.constantFrom({}, { deletion: { graceSeconds: 1 } }, { failure: { reason: 'Evicted', message: '' } }),
});

function generated({
  containers,
  policy,
  isPrepared,
  ending,
}: typeof views extends fc.Arbitrary<infer T> ? T : never): PodView {
  const named = containers.map(([sketch, state], index) => ({ ...sketch, ...state, name: `c${index}` }) as Sketch);
  return view(named, { spec: { restartPolicy: policy as 'Always' }, isPrepared, ...ending });
}

test('Invariant: nothing starts in a pod that ends, and nothing busy or running is started', () => {
  fc.assert(
    fc.property(views, (given) => {
      const pod = generated(given);
      for (const action of plan(pod)) {
        if (action.type !== 'start') continue;
        const target = pod.containers.find((one) => one.container.name === action.name);
        assert.equal(pod.deletion ?? pod.failure, undefined);
        assert.equal(target?.busy, undefined);
        assert.ok(target?.current === undefined || target.current.exit !== undefined);
        assert.equal(action.attempt, target?.current === undefined ? 0 : target.current.labels.attempt + 1);
      }
    }),
  );
});

test('Invariant: a pod that ends comes to an end when every stop succeeds', () => {
  fc.assert(
    fc.property(views, (given) => {
      let pod: PodView = { ...generated(given), deletion: { graceSeconds: 1 } };
      pod = { ...pod, containers: pod.containers.map(({ busy: _none, ...one }) => one) };
      for (let round = 0; round < 20; round++) {
        const actions = plan(pod);
        if (actions.some(({ type }) => type === 'finish')) return;
        const stopped = new Set(actions.flatMap((action) => (action.type === 'stop' ? [action.name] : [])));
        assert.ok(stopped.size > 0, 'there is progress');
        pod = { ...pod, containers: pod.containers.map((one) => (stopped.has(one.container.name) ? ended(one) : one)) };
      }
      assert.fail('no end');
    }),
  );
});

function ended(one: ContainerView): ContainerView {
  return one.current === undefined
    ? one
    : { ...one, current: { ...one.current, exit: { code: 143, finishedAt: NOW } } };
}

test('Invariant: a status is ready only when its pod is running and its containers are', () => {
  fc.assert(
    fc.property(views, (given) => {
      const pod = generated(given);
      const status = statusOf(pod, 'process');
      const ready = status.conditions?.find(({ type }) => type === 'Ready')?.status;
      if (ready !== 'True') return;
      assert.ok(status.containerStatuses?.every((one) => one.ready && one.state?.running !== undefined));
    }),
  );
});

function checkStatus(
  given: PodView,
  expected: { readonly phase: string; readonly state?: object; readonly lastState?: object },
): void {
  const { phase, containerStatuses } = statusOf(given, 'process');
  const [first] = containerStatuses ?? [];
  assert.deepEqual(
    {
      phase,
      ...('state' in expected ? { state: first?.state } : {}),
      ...('lastState' in expected ? { lastState: first?.lastState } : {}),
    },
    expected,
  );
}

test('phases are a kubelet’s', () => {
  checkStatus(view([fresh]), { phase: 'Pending', state: { waiting: { reason: 'ContainerCreating' } } });
  checkStatus(view([{ name: 'i', role: 'init', ...fresh }, fresh]), {
    phase: 'Pending',
    state: { waiting: { reason: 'PodInitializing' } },
  });
  checkStatus(view([{}]), { phase: 'Running' });
  checkStatus(view([{ state: 'exited', code: 1 }]), { phase: 'Running' });
  checkStatus(view([{ state: 'exited' }], never), { phase: 'Succeeded' });
  checkStatus(view([{ state: 'exited', code: 1 }, { name: 'b' }], never), { phase: 'Running' });
  checkStatus(
    view(
      [
        { state: 'exited', code: 1 },
        { name: 'b', state: 'exited' },
      ],
      never,
    ),
    { phase: 'Failed' },
  );
  checkStatus(view([{}], { failure: { reason: 'DeadlineExceeded', message: '' } }), { phase: 'Failed' });
});

test('a container in back-off waits, and its end is the last state', () => {
  const given = view([{ state: 'exited', code: 2, attempt: 4, backoff: { delayMs: 80_000, updatedAt: NOW - 1 } }]);
  const at = new Date(NOW).toISOString().replace('.000', '');
  const before = new Date(NOW - 1000).toISOString().replace('.000', '');
  checkStatus(given, {
    phase: 'Running',
    state: {
      waiting: {
        reason: 'CrashLoopBackOff',
        message: 'back-off 1m20s restarting failed container=main pod=p_default(u)',
      },
    },
    lastState: {
      terminated: { exitCode: 2, reason: 'Error', startedAt: before, finishedAt: at, containerID: 'process://main-4' },
    },
  });
});

const ruled = (action: string, restartPolicy = 'Never') => ({
  name: 'main',
  restartPolicy,
  restartPolicyRules: [{ action, exitCodes: { operator: 'In', values: [42] } }],
});

test('a container’s own policy goes before the pod’s', () => {
  const failed = { state: 'exited', code: 1 } as const;
  check(view([{ ...failed, container: { name: 'main', restartPolicy: 'Always' } }], never), ['start main 1']);
  check(view([{ ...failed, container: { name: 'main', restartPolicy: 'Never' } }]), []);
  checkStatus(view([{ ...failed, container: { name: 'main', restartPolicy: 'Never' } }]), { phase: 'Failed' });
});

test('a rule restarts what ends with its code, and nothing else', () => {
  const container = ruled('Restart');
  check(view([{ state: 'exited', code: 42, container }], never), ['start main 1']);
  check(view([{ state: 'exited', code: 41, container }], never), []);
  const exitCodes = { operator: 'NotIn', values: [0] };
  const unless = { ...container, restartPolicyRules: [{ action: 'Restart', exitCodes }] };
  check(view([{ state: 'exited', code: 7, container: unless }], never), ['start main 1']);
  check(view([{ state: 'exited', code: 0, container: unless }], never), []);
});

test('a rule for all containers ends the others first, then all begin anew, init containers before the rest', () => {
  const cause = { state: 'exited', code: 42, container: ruled('RestartAllContainers') } as const;
  const init = { name: 'i', role: 'init', state: 'exited' } as const;
  check(view([init, cause, { name: 'b' }], never), ['stop b 30']);
  const killed = { name: 'b', state: 'exited', code: 137 } as const;
  check(view([init, cause, killed], never), ['renew']);
  const renewed = [init, cause, killed].map((each) => ({ ...each, isRenewed: true }));
  check(view(renewed, never), ['start i 1']);
  const [, ...mains] = renewed;
  check(view([{ ...init, attempt: 1 }, ...mains], never), ['start main 1', 'start b 1']);
  checkStatus(view([init, cause, killed], never), { phase: 'Running' });
});
