/** The driver of private protocols: what frames are is said by the Device, and tried against captures before it is used. */
import { parseDuration } from '@skerry/api/durations';
import type { Clock } from '@skerry/base';
import { failedCaptures } from '../../../frames/captures.ts';
import { compileFrames, type Frames, type FramesOptions } from '../../../frames/description.ts';
import { FramesError } from '../../../frames/frames-error.ts';
import { FrameSplitter } from '../../../frames/splitter.ts';
import { framesProtocol } from '../../../protocols/frames.ts';
import { checkOpen } from '../../../protocols/protocol.ts';
import type { DeviceSettings, Driver } from '../../driver.ts';
import { DriverError } from '../../driver-error.ts';
import { Channel, type MessageReader } from '../../transport/channel.ts';
import { Lines } from '../../transport/line.ts';
import { endpointOf, type OpenStream, openStream } from '../../transport/open-stream.ts';
import { FramesSession } from './session.ts';

export interface FramesDriverOptions {
  readonly clock: Clock;
  readonly openStream?: OpenStream;
}

/** Beside the description itself. */
export interface DeviceOptions extends FramesOptions {
  readonly secrets?: Readonly<Record<string, string>>;
  readonly keep?: readonly string[];
  readonly start?: readonly string[];
  readonly interval?: string;
  readonly pause?: string;
}

export function createFrames({ clock, openStream: open = openStream }: FramesDriverOptions): Driver {
  const lines = new Lines(clock, open);
  return {
    protocol: 'frames',
    connect: async (settings, { signal }) => {
      const options = await describe(settings);
      const frames = compiled(options);
      const { endpoint, timeoutMs } = settings;
      const share = await lines.acquire({
        endpoint: endpointOf(endpoint),
        serial: settings.options['serial'],
        pauseMs: parseDuration(options.pause ?? '') ?? 0,
        timeoutMs,
        signal,
      });
      const channel = new Channel({ share, reader: frameReader(frames), clock, timeoutMs });
      const session = new FramesSession({ channel, frames, options, settings, clock });
      try {
        await session.start(signal);
        return session;
      } catch (error) {
        await session.close();
        throw error;
      }
    },
    close: () => {
      lines.close();
      return Promise.resolve();
    },
  };
}

function frameReader(frames: Frames): MessageReader<Uint8Array> {
  const splitter = new FrameSplitter(frames);
  return {
    push: (bytes) => {
      const { frames: messages, damaged } = splitter.push(bytes);
      return {
        messages,
        lost: damaged,
        fault: damaged === 0 ? undefined : 'is damaged: a wrong checksum, or wrong bytes',
      };
    },
    clear: () => splitter.clear(),
  };
}

/** Throws `Misconfigured`. */
function compiled(options: DeviceOptions): Frames {
  try {
    const frames = compileFrames(options);
    const failed = failedCaptures(frames, options);
    if (failed.length > 0) throw new FramesError(failed.join('; '));
    return frames;
  } catch (cause) {
    if (!(cause instanceof FramesError)) throw cause;
    throw new DriverError('Misconfigured', cause.message, { cause });
  }
}

/** What stands in the ConfigMap, and before it what stands in the Device. */
async function describe({ options, files }: DeviceSettings): Promise<DeviceOptions> {
  const { file } = options;
  if (typeof file !== 'string') return options;
  const bytes = files[file];
  if (bytes === undefined) throw new DriverError('Misconfigured', `the ConfigMap has no key ${file}`);
  const described = await parse(file, new TextDecoder().decode(bytes));
  const wrong = checkOpen([file], described, framesProtocol.options);
  if (wrong.length > 0) throw new DriverError('Misconfigured', wrong.map(({ message }) => message).join('; '));
  return { ...described, ...options };
}

async function parse(file: string, text: string): Promise<Readonly<Record<string, unknown>>> {
  const { parse: parseYaml } = await import('yaml');
  try {
    const parsed: unknown = parseYaml(text, { maxAliasCount: 100 });
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed))
      return parsed as Readonly<Record<string, unknown>>;
  } catch (cause) {
    throw new DriverError('Misconfigured', `${file} is no YAML`, { cause });
  }
  throw new DriverError('Misconfigured', `${file} is no description: it has no fields`);
}
