/** Runs inside a pod, without a build: answers health checks on the port of its first argument, for the services of the others. */
import { createServer, constants as http2, type ServerHttp2Stream } from 'node:http2';

const SERVING = 1;
const NOT_SERVING = 2;
const NOT_FOUND = 5;
const FRAME_HEAD_BYTES = 5;
/** Before the name of a service: its field, and its length in one byte. */
const NAME_HEAD_BYTES = 2;

const [port = '', ...services] = process.argv.slice(2);
/** `NAME` is well and `!NAME` is not; nobody knows any other. */
const states = new Map(services.map((word) => (word.startsWith('!') ? [word.slice(1), NOT_SERVING] : [word, SERVING])));

const server = createServer();
server.on('stream', (stream, headers) => {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.once('end', () => {
    const service = Buffer.concat(chunks)
      .subarray(FRAME_HEAD_BYTES + NAME_HEAD_BYTES)
      .toString();
    console.log(`${headers[http2.HTTP2_HEADER_PATH]} of "${service}"`);
    answer(stream, states.get(service));
  });
});
server.listen(Number(port));
process.on('SIGTERM', () => process.exit(0));

function answer(stream: ServerHttp2Stream, state: number | undefined): void {
  const head = { 'content-type': 'application/grpc' };
  if (state === undefined) {
    stream.respond({ ...head, 'grpc-status': NOT_FOUND, 'grpc-message': 'unknown service' }, { endStream: true });
    return;
  }
  stream.respond(head, { waitForTrailers: true });
  stream.once('wantTrailers', () => stream.sendTrailers({ 'grpc-status': 0 }));
  const message = Buffer.from([0x08, state]);
  stream.end(Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]));
}
