/** grpc.health.v1.Health/Check by hand: one request of one string, one answer of one number. Loaded when first asked for. */
import type { IncomingHttpHeaders } from 'node:http';
import { connect, constants } from 'node:http2';
import type { HandlerResult } from './handler-run.ts';

/** By their numbers on the wire. */
const STATUSES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];
const SERVING = STATUSES.indexOf('SERVING');
const MAX_ANSWER_BYTES = 1024;

export function checkHealth(address: string, service: string, timeoutMs: number): Promise<HandlerResult> {
  return new Promise((resolve) => {
    const session = connect(`http://${address}`);
    const end = (result: HandlerResult) => {
      session.destroy();
      resolve(result);
    };
    const fail = (cause: string) => end({ ok: false, message: `service unhealthy: ${cause}` });
    session.setTimeout(timeoutMs, () => end({ ok: false, message: `timeout: failed to connect service "${address}"` }));
    session.once('error', (error) => fail(error.message));
    const stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    let answer = Buffer.alloc(0);
    stream.on('data', (chunk: Buffer) => {
      answer = Buffer.concat([answer, chunk]);
      if (answer.length > MAX_ANSWER_BYTES) fail('answer too large');
    });
    stream.once('error', (error) => fail(error.message));
    const onStatus = ({ 'grpc-status': status, 'grpc-message': words = '' }: IncomingHttpHeaders) => {
      if (status === undefined || String(status) === '0') return;
      end({ ok: false, message: `error: health rpc probe failed: rpc error: code = ${status} desc = ${words}` });
    };
    // A refusal has no body, and its status comes with the first headers.
    stream.once('response', onStatus);
    stream.once('trailers', onStatus);
    stream.once('end', () => {
      const value = statusOf(answer);
      end(
        value === SERVING
          ? { ok: true, message: '' }
          : {
              ok: false,
              message: `service unhealthy (responded with ${JSON.stringify(STATUSES[value] ?? String(value))})`,
            },
      );
    });
    stream.end(requestFrame(service));
  });
}

/** Field 1 of the request is the service's name; a gRPC frame is a flag and a length before it. */
function requestFrame(service: string): Buffer {
  const name = Buffer.from(service);
  const message =
    name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a, ...varint(name.length)]), name]);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** Field 1 of the answer is the status; absent means unknown. */
function statusOf(frame: Buffer): number {
  return frame[5] === 0x08 ? (frame[6] ?? 0) : 0;
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}
