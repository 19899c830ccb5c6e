/** Reads on as far as the first chunk, so that a source that refuses has refused. The chunks are all there for the reader. */
export async function begun(chunks: AsyncIterable<Uint8Array>): Promise<AsyncIterable<Uint8Array>> {
  const reader = chunks[Symbol.asyncIterator]();
  const first = await reader.next();
  return allOf(first, reader);
}

async function* allOf(
  first: IteratorResult<Uint8Array>,
  reader: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    for (let next = first; next.done !== true; next = await reader.next()) yield next.value;
  } finally {
    await reader.return?.();
  }
}
