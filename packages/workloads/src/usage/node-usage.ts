/** Asks nodes what they use: over streams, only when somebody wants to know, and not again while the answer is fresh. */
import { type Clock, type Logger, messageOf } from '@skerry/base';
import type { MessageStream, NodeDialer } from '@skerry/kube/streaming';
import { createLimiter } from '../edge/pod/limiter.ts';
import { MAX_REPORT_BYTES, parseReport, USAGE_PATH, type UsageReport } from './report.ts';

/** As long as an answer counts; whoever comes meanwhile shares it, also while it is under way. */
const FRESH_MS = 10_000;
/** A node that has not answered by then is left out; nobody waits for the slowest link. */
const ANSWER_TIMEOUT_MS = 5000;
const MAX_ASKED_AT_ONCE = 500;

export interface NodeUsageOptions {
  readonly dialer: NodeDialer;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What each of the nodes uses; a node that is away or does not answer is not in the map. */
export type ReadUsage = (nodes: Iterable<string>) => Promise<ReadonlyMap<string, UsageReport>>;

interface Answer {
  readonly askedAt: number;
  readonly report: Promise<UsageReport | undefined>;
}

export function nodeUsage(options: NodeUsageOptions): ReadUsage {
  const { clock } = options;
  const limiter = createLimiter(MAX_ASKED_AT_ONCE);
  const answers = new Map<string, Answer>();
  const forgetStale = (): void => {
    for (const [node, { askedAt }] of answers) if (clock.monotonic() - askedAt > FRESH_MS) answers.delete(node);
  };
  const ask = (node: string): Promise<UsageReport | undefined> => {
    const known = answers.get(node);
    if (known !== undefined) return known.report;
    const report = limiter.run(() => askNode(node, options));
    answers.set(node, { askedAt: clock.monotonic(), report });
    return report;
  };
  return async (nodes) => {
    forgetStale();
    const reports = await Promise.all(Array.from(new Set(nodes), async (node) => [node, await ask(node)] as const));
    return new Map(reports.flatMap(([node, report]) => (report === undefined ? [] : [[node, report]])));
  };
}

async function askNode(node: string, { dialer, clock, log }: NodeUsageOptions): Promise<UsageReport | undefined> {
  const late = new AbortController();
  using _timer = clock.after(ANSWER_TIMEOUT_MS, () => late.abort(new Error('the node took too long')), { unref: true });
  try {
    const stream = await dialer.open(node, { kind: 'get', path: USAGE_PATH }, late.signal);
    return parseReport(await textOf(stream, late.signal));
  } catch (error) {
    log.debug({ node, error: messageOf(error) }, 'a node did not say what it uses');
    return undefined;
  }
}

async function textOf(stream: MessageStream, signal: AbortSignal): Promise<string> {
  const onAbort = () => stream.abort('too late');
  signal.addEventListener('abort', onAbort);
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of stream.incoming) {
      size += chunk.length;
      if (size > MAX_REPORT_BYTES) throw new RangeError('the report is too large');
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString('utf8');
  } finally {
    signal.removeEventListener('abort', onAbort);
    stream.abort('read');
  }
}
