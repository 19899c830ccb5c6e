/** `skerry series export SELECTOR… --output FILE`: what the cloud streams goes into the file, which is there whole or not at all. */
import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { extname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { messageOf } from '@skerry/base';
import { askPath, type Connection } from '../cloud-path.ts';
import { type ConnectionFlags, findCloud } from '../connection.ts';
import { type CliContext, cliErrors } from '../context.ts';
import { formatSize } from '../output.ts';
import { type TimeFlags, timesOf } from '../time-flags.ts';

export interface ExportFlags extends ConnectionFlags, TimeFlags {
  readonly output: string;
}

const FORMATS: Readonly<Record<string, string>> = { '.parquet': 'parquet', '.csv': 'csv' };
const EXPORT_PATH = '/telemetry/export';
const SHOWN_EVERY_MS = 200;

export async function exportSeries(
  context: CliContext,
  selectors: readonly string[],
  flags: ExportFlags,
): Promise<void> {
  const { output: file } = flags;
  const format = FORMATS[extname(file).toLowerCase()];
  if (format === undefined)
    throw cliErrors.INVALID_ARGUMENT({ argument: '--output', problem: `${file} ends in neither .parquet nor .csv` });
  const query = new URLSearchParams({ ...timesOf(flags, context.clock.now()), format });
  for (const selector of selectors) query.append('match[]', selector);
  const { connection } = await findCloud(context, flags);
  const partial = `${file}.partial`;
  try {
    const bytes = await download(context, { connection, path: `${EXPORT_PATH}?${query}`, file: partial });
    await rename(partial, file);
    context.say(`skerry: ${file} has ${formatSize(bytes)}\n`);
  } catch (cause) {
    await rm(partial, { force: true });
    throw cliErrors.SERIES_REFUSED({ what: 'export', reason: messageOf(cause) }, { cause });
  }
}

interface Download {
  readonly connection: Connection;
  readonly path: string;
  readonly file: string;
}

/** How many bytes it was. */
async function download(context: CliContext, { connection, path, file }: Download): Promise<number> {
  const response = await askPath(connection, { method: 'GET', path });
  let bytes = 0;
  let shown = 0;
  const count = async function* (chunks: AsyncIterable<Uint8Array>) {
    for await (const chunk of chunks) {
      bytes += chunk.length;
      const now = context.clock.monotonic();
      if (now - shown > SHOWN_EVERY_MS) {
        shown = now;
        context.progress?.(`skerry: ${formatSize(bytes)}`);
      }
      yield chunk;
    }
  };
  await pipeline(response, count, createWriteStream(file, { mode: 0o600, flush: true }));
  context.progress?.('');
  return bytes;
}
