/** Pods: the one status word that sums up phase, containers and deletion. */
import { at, isObject, type JsonObject, numberAt, objectsAt, textAt } from '../json.ts';
import { ageOf } from './duration.ts';
import { AGE, type Cell, describe, NAME, type Printer } from './printer.ts';

export const podPrinter: Printer = {
  columns: [
    NAME.column,
    describe('Ready', 'string', 0),
    describe('Status', 'string', 0),
    describe('Restarts', 'string', 0),
    AGE.column,
    describe('IP', 'string', 1),
    describe('Node', 'string', 1),
    describe('Nominated Node', 'string', 1),
    describe('Readiness Gates', 'string', 1),
  ],
  cells: podCells,
};

function podCells(pod: JsonObject, now: number): Cell[] {
  const { ready, total, word, restarts, lastRestart } = summarizePod(pod);
  return [
    NAME.read(pod, now),
    `${ready}/${total}`,
    word,
    restarts > 0 && lastRestart !== '' ? `${restarts} (${ageOf(lastRestart, now)} ago)` : String(restarts),
    AGE.read(pod, now),
    textAt(objectsAt(pod, 'status', 'podIPs')[0], 'ip') || textAt(pod, 'status', 'podIP') || '<none>',
    textAt(pod, 'spec', 'nodeName') || '<none>',
    textAt(pod, 'status', 'nominatedNodeName') || '<none>',
    readinessGates(pod),
  ];
}

export interface PodSummary {
  readonly ready: number;
  readonly total: number;
  /** `Running`, `Completed`, `CrashLoopBackOff`, `Init:0/1`, `Terminating` … */
  readonly word: string;
  readonly restarts: number;
  /** When a container last ended before it was started again; empty when none did. */
  readonly lastRestart: string;
}

interface Tally {
  word: string;
  ready: number;
  restarts: number;
  lastRestart: string;
}

/** What `kubectl get pods` says of a pod. */
export function summarizePod(pod: JsonObject): PodSummary {
  const sidecars = new Set(
    objectsAt(pod, 'spec', 'initContainers')
      .filter(isSidecar)
      .map((item) => textAt(item, 'name')),
  );
  const total = objectsAt(pod, 'spec', 'containers').length + sidecars.size;
  const starting = tallyInit(pod, sidecars);
  const isInitialized = !starting.isInitializing || hasCondition(pod, 'Initialized');
  const tally = isInitialized ? tallyMain(pod, starting) : starting;
  return { ...tally, word: deletionWord(pod) ?? tally.word, total };
}

function isSidecar(container: JsonObject): boolean {
  return container['restartPolicy'] === 'Always';
}

function baseWord(pod: JsonObject): string {
  const isGated = objectsAt(pod, 'status', 'conditions').some(
    (condition) => condition['type'] === 'PodScheduled' && condition['reason'] === 'SchedulingGated',
  );
  if (isGated) return 'SchedulingGated';
  return textAt(pod, 'status', 'reason') || textAt(pod, 'status', 'phase');
}

interface InitTally extends Tally {
  isInitializing: boolean;
  /** Restarts of sidecars alone: all that counts once the pod is initialized. */
  readonly sidecars: { restarts: number; lastRestart: string };
}

function tallyInit(pod: JsonObject, sidecars: ReadonlySet<string>): InitTally {
  const tally: InitTally = {
    word: baseWord(pod),
    ready: 0,
    restarts: 0,
    lastRestart: '',
    isInitializing: false,
    sidecars: { restarts: 0, lastRestart: '' },
  };
  const count = objectsAt(pod, 'spec', 'initContainers').length;
  for (const [index, status] of objectsAt(pod, 'status', 'initContainerStatuses').entries()) {
    countRestarts(tally, status);
    const isSidecarStatus = sidecars.has(textAt(status, 'name'));
    if (isSidecarStatus) countRestarts(tally.sidecars, status);
    const terminated = at(status, 'state', 'terminated');
    if (isObject(terminated) && numberAt(terminated, 'exitCode') === 0) continue;
    if (isSidecarStatus && status['started'] === true) {
      if (status['ready'] === true) tally.ready++;
      continue;
    }
    tally.word = `Init:${initWord(status, `${index}/${count}`)}`;
    tally.isInitializing = true;
    break;
  }
  return tally;
}

function initWord(status: JsonObject, progress: string): string {
  const terminated = at(status, 'state', 'terminated');
  if (isObject(terminated)) return terminatedWord(terminated);
  const waiting = textAt(status, 'state', 'waiting', 'reason');
  return waiting !== '' && waiting !== 'PodInitializing' ? waiting : progress;
}

function tallyMain(pod: JsonObject, starting: InitTally): Tally {
  const tally: Tally = { word: starting.word, ready: starting.ready, ...starting.sidecars };
  let hasRunning = false;
  // The first container has the last word.
  for (const status of objectsAt(pod, 'status', 'containerStatuses').reverse()) {
    countRestarts(tally, status);
    const waiting = textAt(status, 'state', 'waiting', 'reason');
    const terminated = at(status, 'state', 'terminated');
    if (waiting !== '') tally.word = waiting;
    else if (isObject(terminated)) tally.word = terminatedWord(terminated);
    else if (status['ready'] === true && isObject(at(status, 'state', 'running'))) {
      hasRunning = true;
      tally.ready++;
    }
  }
  if (tally.word === 'Completed' && hasRunning) tally.word = hasCondition(pod, 'Ready') ? 'Running' : 'NotReady';
  return tally;
}

function terminatedWord(terminated: JsonObject): string {
  const reason = textAt(terminated, 'reason');
  if (reason !== '') return reason;
  const signal = numberAt(terminated, 'signal');
  return signal === 0 ? `ExitCode:${numberAt(terminated, 'exitCode')}` : `Signal:${signal}`;
}

function countRestarts(tally: { restarts: number; lastRestart: string }, status: JsonObject): void {
  tally.restarts += numberAt(status, 'restartCount');
  const finished = textAt(status, 'lastState', 'terminated', 'finishedAt');
  if (finished > tally.lastRestart) tally.lastRestart = finished;
}

function deletionWord(pod: JsonObject): string | undefined {
  if (at(pod, 'metadata', 'deletionTimestamp') === undefined) return undefined;
  if (textAt(pod, 'status', 'reason') === 'NodeLost') return 'Unknown';
  const phase = textAt(pod, 'status', 'phase');
  return phase === 'Succeeded' || phase === 'Failed' ? undefined : 'Terminating';
}

function hasCondition(pod: JsonObject, type: string): boolean {
  return objectsAt(pod, 'status', 'conditions').some(
    (condition) => condition['type'] === type && condition['status'] === 'True',
  );
}

function readinessGates(pod: JsonObject): string {
  const gates = objectsAt(pod, 'spec', 'readinessGates');
  if (gates.length === 0) return '<none>';
  const passed = gates.filter((gate) => hasCondition(pod, textAt(gate, 'conditionType')));
  return `${passed.length}/${gates.length}`;
}
