/** GET pods/NAME/log: the node's log stream, passed on as it comes. */
import type { FieldError } from '@skerry/api';
import type { MessageStream, NodeStreamRequest } from '../../streaming/contract.ts';
import type { ApiResponse } from '../contract.ts';
import { type Call, type Engine, fault, nameOf } from '../engine.ts';
import { isTrue } from '../negotiate.ts';
import { badRequest, invalid, methodNotAllowed, unavailable } from '../statuses.ts';
import { integerOf } from '../write-options.ts';
import { pickContainer, podTarget } from './pod-target.ts';

type LogRequest = Extract<NodeStreamRequest, { kind: 'log' }>;

const LOG_HEADERS = { 'content-type': 'text/plain' };

export async function podLog(engine: Engine, call: Call): Promise<ApiResponse> {
  return { status: 200, headers: LOG_HEADERS, body: (await logBytes(engine, call)) ?? '' };
}

/** Undefined for a pod that is on no node yet: it has said nothing. */
export async function logBytes(engine: Engine, call: Call): Promise<AsyncIterable<Uint8Array> | undefined> {
  if (call.route.verb !== 'get') throw methodNotAllowed();
  const options = logOptions(call);
  const target = podTarget(engine, call);
  const container = pickContainer(target, call.request.query.get('container') ?? '');
  if (target.node === '') return undefined;
  if (engine.dialer === undefined) throw unavailable('this server does not reach nodes');
  const { namespace, pod, node } = target;
  const request: LogRequest = { kind: 'log', namespace, pod, container, ...options };
  const stream = await engine.dialer.open(node, request, call.request.signal);
  return messagesOf(stream);
}

/** The bytes of a stream; who stops reading ends it. */
export async function* messagesOf(stream: MessageStream): AsyncIterable<Uint8Array> {
  try {
    yield* stream.incoming;
  } finally {
    stream.abort('the reader is gone');
  }
}

type LogOptions = Omit<LogRequest, 'kind' | 'namespace' | 'pod' | 'container'>;

export function logOptions(call: Call): LogOptions {
  const { query } = call.request;
  const tailLines = integerOf(query, 'tailLines');
  const limitBytes = integerOf(query, 'limitBytes');
  const sinceSeconds = integerOf(query, 'sinceSeconds');
  const sinceTime = query.get('sinceTime') ?? '';
  const faults: FieldError[] = [
    ...atLeast('tailLines', tailLines, 0),
    ...atLeast('limitBytes', limitBytes, 1),
    ...atLeast('sinceSeconds', sinceSeconds, 1),
    ...(sinceTime !== '' && sinceSeconds !== undefined
      ? [fault('FieldValueForbidden', '', 'Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified')]
      : []),
  ];
  if (faults.length > 0) throw invalid({ group: '', version: 'v1', kind: 'PodLogOptions' }, nameOf(call.route), faults);
  if (sinceTime !== '' && Number.isNaN(Date.parse(sinceTime))) throw badRequest('sinceTime must be an RFC 3339 time');
  return {
    ...(flag(query, 'follow') ? { follow: true } : {}),
    ...(flag(query, 'previous') ? { previous: true } : {}),
    ...(flag(query, 'timestamps') ? { timestamps: true } : {}),
    ...(tailLines === undefined ? {} : { tailLines }),
    ...(limitBytes === undefined ? {} : { limitBytes }),
    ...(sinceSeconds === undefined ? {} : { sinceSeconds }),
    ...(sinceTime === '' ? {} : { sinceTime }),
  };
}

function flag(query: URLSearchParams, name: string): boolean {
  return isTrue(query.get(name));
}

function atLeast(path: string, value: number | undefined, least: number): FieldError[] {
  if (value === undefined || value >= least) return [];
  const text = `Invalid value: ${value}: must be greater than ${least === 0 ? 'or equal to 0' : '0'}`;
  return [fault('FieldValueInvalid', path, text)];
}
