/** containerd's content store as a store of blobs: what is pulled goes straight there, and a pull goes on where the last one stopped. */
import { hasCode } from '@skerry/base';
import { type BlobStore, type BlobWriter, type Digest, imageErrors } from '../../../images/index.ts';
import { Status } from '../grpc-frame.ts';
import type { GrpcCall } from '../grpc-stream.ts';
import { type Decoded, decode, encode, type Given } from '../message.ts';
import { type ContainerdClient, hasStatus } from './client.ts';
import { ReadAnswer, ReadRequest, WriteAction, WriteAnswer, WriteRequest } from './schema.ts';

/** Well below what a server takes in one message. */
const MAX_PIECE_BYTES = 1024 * 1024;

/** All that is written, and all that is found there already, is held by the lease. */
export function containerdBlobs(containerd: ContainerdClient, lease: string): BlobStore {
  const client = containerd.under(lease);
  return {
    stat: async (digest) => {
      try {
        const { info } = await client.call('InfoContent', { digest });
        await client.call('HoldResource', { id: lease, resource: { id: digest, type: 'content' } });
        return { size: info?.size ?? 0 };
      } catch (error) {
        if (hasCode(error, 'CRI_NOT_FOUND')) return undefined;
        throw error;
      }
    },
    path: keptWithin,
    partialPath: keptWithin,
    read: (digest, range = {}) => read(client, digest, range),
    write: (key) => Ingest.open(client, `skerry-${key}`),
    // What is in there is named, leased and collected by containerd alone.
    list: async () => [],
    remove: async () => {},
    removePartials: async () => {},
  };
}

function keptWithin(key: string): never {
  throw new Error(`containerd keeps ${key} to itself`);
}

async function* read(
  client: ContainerdClient,
  digest: Digest,
  { offset = 0, length = 0 }: { readonly offset?: number; readonly length?: number },
): AsyncGenerator<Uint8Array> {
  const call = client.read();
  try {
    call.send(encode(ReadRequest, { digest, offset, size: length }));
    call.end();
    for (let answer = await call.next(); answer !== undefined; answer = await call.next()) {
      yield decode(ReadAnswer, answer).data;
    }
  } catch (error) {
    if (hasCode(error, 'CRI_NOT_FOUND')) throw imageErrors.NOT_FOUND({ what: `blob ${digest}`, where: 'containerd' });
    throw error;
  } finally {
    call.close();
  }
}

/** One blob on its way in. containerd keeps what has come under its reference for as long as the lease does. */
class Ingest implements BlobWriter {
  readonly #client: ContainerdClient;
  readonly #ref: string;
  readonly #call: GrpcCall;
  #offset: number;

  static async open(client: ContainerdClient, ref: string): Promise<Ingest> {
    const call = client.write();
    try {
      const { offset } = await ask(call, { action: WriteAction.stat, ref });
      return new Ingest(client, ref, call, offset);
    } catch (error) {
      call.close();
      if (hasStatus(error, Status.unavailable)) throw imageErrors.BUSY({ key: ref }, { cause: error });
      throw error;
    }
  }

  private constructor(client: ContainerdClient, ref: string, call: GrpcCall, offset: number) {
    this.#client = client;
    this.#ref = ref;
    this.#call = call;
    this.#offset = offset;
  }

  get offset(): number {
    return this.#offset;
  }

  async write(chunk: Uint8Array): Promise<void> {
    for (let done = 0; done < chunk.length; done += MAX_PIECE_BYTES) {
      const data = chunk.subarray(done, done + MAX_PIECE_BYTES);
      const { offset } = await ask(this.#call, { action: WriteAction.write, offset: this.#offset, data });
      this.#offset = offset;
    }
  }

  async commit({ digest, size = this.#offset }: { readonly digest: Digest; readonly size?: number }): Promise<void> {
    try {
      await ask(this.#call, { action: WriteAction.commit, offset: this.#offset, total: size, expected: digest });
    } catch (error) {
      if (hasStatus(error, Status.alreadyExists)) return;
      await this.discard();
      throw refusalOf(error, digest, size) ?? error;
    } finally {
      this.#call.close();
    }
  }

  async suspend(): Promise<void> {
    this.#call.end();
    // Until the call is over the reference is taken.
    await this.#call.next().catch(() => {});
    this.#call.close();
  }

  async discard(): Promise<void> {
    await this.suspend();
    await this.#client.call('AbortContent', { ref: this.#ref }).catch((error: unknown) => {
      if (!hasCode(error, 'CRI_NOT_FOUND')) throw error;
    });
  }
}

async function ask(call: GrpcCall, request: Given<typeof WriteRequest>): Promise<Decoded<typeof WriteAnswer>> {
  call.send(encode(WriteRequest, request));
  const answer = await call.next();
  if (answer === undefined) throw imageErrors.UNREACHABLE({ where: 'containerd', problem: 'it ended the transfer' });
  return decode(WriteAnswer, answer);
}

/** containerd checks hash and length itself, and says in words what it found. */
function refusalOf(error: unknown, digest: Digest, size: number): Error | undefined {
  if (!hasStatus(error, Status.failedPrecondition)) return undefined;
  const { message } = error as Error;
  const length = /unexpected commit size (\d+)/.exec(message)?.[1];
  if (length !== undefined) {
    return imageErrors.SIZE_MISMATCH({ digest, actual: Number(length), expected: size }, { cause: error });
  }
  const actual = /unexpected commit digest (sha256:[0-9a-f]{64})/.exec(message)?.[1];
  return imageErrors.DIGEST_MISMATCH({ expected: digest, actual: actual ?? 'something else' }, { cause: error });
}
