/** A description is tried against what was once seen on the wire, before a device is spoken to by it. Pure. */
import type { CaptureOptions, Frames, FramesOptions } from './description.ts';
import { FramesError } from './frames-error.ts';
import { hexBytes, hexText } from './hex.ts';
import { encodeFrame, isSame, recognise, sequenceIn } from './layout.ts';
import { FrameSplitter } from './splitter.ts';

/** What is not as the captures say, each in a sentence; nothing when all is. */
export function failedCaptures(frames: Frames, { captures = [] }: FramesOptions): readonly string[] {
  return captures.flatMap((capture, at) => {
    const why = capture.sent === true ? sentOtherwise(frames, capture) : readOtherwise(frames, capture);
    return why === undefined ? [] : [`captures[${at}]: ${why}`];
  });
}

/** Without a message, the bytes are to be none. */
function readOtherwise(frames: Frames, { bytes: text, message, fields = {} }: CaptureOptions): string | undefined {
  const bytes = hexBytes(text);
  if (bytes === undefined) return 'bytes are pairs of hexadecimal digits';
  const { frames: found, damaged } = new FrameSplitter(frames).push(bytes);
  const [frame] = found;
  const known = frame === undefined ? undefined : recognise(frames, frame);
  if (message === undefined)
    return known === undefined ? undefined : `the bytes are to be no message, but are ${known[0].name}`;
  if (damaged > 0 && frame === undefined)
    return frames.stuffing === undefined ? 'the checksum is wrong' : 'the checksum or an escape is wrong';
  if (frame === undefined) return 'the bytes are no frame';
  if (found.length > 1) return `the bytes are ${found.length} frames`;
  if (known === undefined) return 'the frame is none of the messages';
  const [{ name }, values] = known;
  if (name !== message) return `the frame is ${name}, not ${message}`;
  const other = Object.entries(fields).find(([field, expected]) => !isSame(values[field], expected));
  if (other === undefined) return undefined;
  return `${other[0]} is ${shown(values[other[0]])}, not ${shown(other[1])}`;
}

function sentOtherwise(frames: Frames, { bytes: text, message = '', fields = {} }: CaptureOptions): string | undefined {
  const bytes = hexBytes(text);
  const sending = frames.messages.get(message);
  if (bytes === undefined) return 'bytes are pairs of hexadecimal digits';
  if (sending === undefined) return `there is no message ${message}`;
  try {
    const [frame = bytes] = new FrameSplitter(frames).push(bytes).frames;
    const sent = encodeFrame(frames, sending, fields, sequenceIn(frames, frame) ?? 0);
    return Buffer.compare(sent, bytes) === 0 ? undefined : `${message} is sent as ${hexText(sent)}`;
  } catch (error) {
    if (error instanceof FramesError) return error.message;
    throw error;
  }
}

function shown(value: unknown): string {
  if (value instanceof Uint8Array) return hexText(value);
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}
