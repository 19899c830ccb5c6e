/** Ports for what begins to listen only later: free now, and promised to nobody else who asks here. */
import { createServer, type Server } from 'node:net';

/** So often another port is looked for. */
const MAX_TRIES = 100;

/**
 * This port, or any that is free where it is taken, also by somebody who has claimed it and does not listen yet. The claim
 * ends with the signal, or with this process, however it ends.
 */
export async function claimPort(wanted: number, signal: AbortSignal): Promise<number> {
  for (let tries = 0, port = wanted; tries < MAX_TRIES; tries++, port = 0) {
    const free = await probe(port);
    if (free !== undefined && (await claim(free, signal))) return free;
  }
  throw new RangeError(`no port like ${wanted} is free`);
}

async function probe(port: number): Promise<number | undefined> {
  const server = await listening(createServer(), { port, host: '127.0.0.1' });
  const address = server?.address();
  await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
  return typeof address === 'object' && address !== null ? address.port : undefined;
}

/** A name that only one process can have; names in the abstract namespace are those of the network, as ports are. */
async function claim(port: number, signal: AbortSignal): Promise<boolean> {
  const server = await listening(createServer(), { path: `\0skerry-port-${port}` });
  server?.unref();
  if (server !== undefined) signal.addEventListener('abort', () => server.close(), { once: true });
  return server !== undefined;
}

function listening(
  server: Server,
  where: { readonly port: number; readonly host: string } | { readonly path: string },
) {
  return new Promise<Server | undefined>((resolve) => {
    server.once('error', () => resolve(undefined));
    server.listen(where, () => resolve(server));
  });
}
