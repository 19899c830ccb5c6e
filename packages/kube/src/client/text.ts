/** Bytes from a wire to text and lines, with a bound on what is kept. */

export type Body = AsyncIterable<string | Uint8Array> | string | Uint8Array | undefined;

/** The whole body as text; `tooLarge` makes the error thrown once more than `limit` bytes have come. */
export async function readAll(body: Body, limit: number, tooLarge: () => Error): Promise<string> {
  if (body === undefined) return '';
  if (typeof body === 'string') return body;
  const decoder = new TextDecoder();
  if (body instanceof Uint8Array) return decoder.decode(body);
  let size = 0;
  let text = '';
  for await (const chunk of body) {
    size += chunk.length;
    if (size > limit) throw tooLarge();
    text += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

/** The lines of a body as they arrive, without their ends and without empty ones. */
export async function* readLines(body: Body, limit: number, tooLong: () => Error): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  const splitter = lineSplitter(limit, tooLong);
  for await (const chunk of chunksOf(body)) {
    yield* splitter.push(typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true }));
  }
  yield* splitter.end();
}

function chunksOf(body: Body): AsyncIterable<string | Uint8Array> | readonly (string | Uint8Array)[] {
  if (body === undefined) return [];
  return typeof body === 'string' || body instanceof Uint8Array ? [body] : body;
}

interface LineSplitter {
  push(text: string): string[];
  end(): string[];
}

// The parts of a line are kept apart until its end comes: joining them at each chunk would cost the square of its length.
function lineSplitter(limit: number, tooLong: () => Error): LineSplitter {
  let parts: string[] = [];
  let length = 0;

  const keep = (part: string) => {
    length += part.length;
    if (length > limit) throw tooLong();
    parts.push(part);
  };
  const finish = (): string => {
    const line = parts.length === 1 ? (parts[0] ?? '') : parts.join('');
    parts = [];
    length = 0;
    return line;
  };
  return {
    push: (text) => {
      const lines: string[] = [];
      let start = 0;
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
        keep(text.slice(start, end));
        const line = finish();
        if (line !== '') lines.push(line);
        start = end + 1;
      }
      if (start < text.length) keep(text.slice(start));
      return lines;
    },
    end: () => {
      const line = finish();
      return line === '' ? [] : [line];
    },
  };
}
