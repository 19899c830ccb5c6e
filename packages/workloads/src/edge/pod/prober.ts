/** Runs one container's probes for as long as the container runs. Liveness and readiness wait for startup. */
import type { Clock } from '@skerry/base';
import { type HandlerTarget, runHandler } from './handler-run.ts';
import { afterProbe, initialProbeState, type ProbeKind, probePeriodMs, probeTimeoutMs } from './probe-state.ts';
import type { Container, Probe } from './types.ts';

export interface ProbeVerdicts {
  onStarted(): void;
  onReady(isReady: boolean): void;
  /** The container must be restarted. */
  onDoom(message: string, graceSeconds: number | undefined): void;
  onUnhealthy(message: string): void;
  onWarning(message: string): void;
}

export interface ProberOptions {
  readonly clock: Clock;
  readonly container: Container;
  readonly startedAt: number;
  readonly target: HandlerTarget;
  /** What an earlier agent had found out, so that adopting a container does not make it unready. */
  readonly known?: { readonly isStarted: boolean; readonly isReady: boolean };
  readonly verdicts: ProbeVerdicts;
}

const NAMES: Readonly<Record<ProbeKind, string>> = { startup: 'Startup', liveness: 'Liveness', readiness: 'Readiness' };

/** Starts probing; aborting the target's signal ends it. */
export function startProbes(options: ProberOptions): void {
  const { container, verdicts } = options;
  const afterStartup = () => {
    verdicts.onStarted();
    if (container.readinessProbe === undefined) verdicts.onReady(true);
    else follow('readiness', container.readinessProbe, options);
    if (container.livenessProbe !== undefined) follow('liveness', container.livenessProbe, options);
  };
  if (container.startupProbe === undefined || options.known?.isStarted) afterStartup();
  else follow('startup', container.startupProbe, options, afterStartup);
}

function follow(kind: ProbeKind, probe: Probe, options: ProberOptions, onPassed?: () => void): void {
  // The signal ends the loop; a probe that fails is a verdict, so nothing else can end it.
  probeLoop(kind, probe, options, onPassed).catch(() => {});
}

async function probeLoop(
  kind: ProbeKind,
  probe: Probe,
  { clock, container, startedAt, target, known, verdicts }: ProberOptions,
  onPassed: (() => void) | undefined,
): Promise<void> {
  const { signal } = target;
  await clock.sleep(Math.max(0, startedAt + (probe.initialDelaySeconds ?? 0) * 1000 - clock.now()), signal);
  let state = initialProbeState(kind);
  if (kind === 'readiness' && known?.isReady) state = { ...state, verdict: 'success' };
  while (!signal.aborted) {
    const begun = clock.monotonic();
    const { ok, message, warning } = await runHandler(probe, target, probeTimeoutMs(probe), 'probe');
    if (signal.aborted) return;
    const before = state.verdict;
    state = afterProbe(state, ok ? 'success' : 'failure', probe);
    if (warning !== undefined) verdicts.onWarning(`${NAMES[kind]} probe warning: ${warning}`);
    if (!ok) verdicts.onUnhealthy(`${NAMES[kind]} probe failed: ${message}`);
    if (kind === 'readiness' && state.verdict !== before) verdicts.onReady(state.verdict === 'success');
    if (kind !== 'readiness' && state.verdict === 'failure') {
      verdicts.onDoom(
        `Container ${container.name} failed ${kind} probe, will be restarted`,
        probe.terminationGracePeriodSeconds,
      );
      return;
    }
    if (kind === 'startup' && state.verdict === 'success') {
      onPassed?.();
      return;
    }
    await clock.sleep(Math.max(0, probePeriodMs(probe) - (clock.monotonic() - begun)), signal);
  }
}
