/** Prometheus' remote write 1.0, read. https://prometheus.io/docs/specs/prw/remote_write_spec/ */
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { snappyUncompress } from 'hyparquet';
import type { Labels } from '../../store/index.ts';

export interface WrittenSeries {
  readonly labels: Labels;
  /** Milliseconds since 1970. */
  readonly times: readonly number[];
  readonly values: readonly number[];
}

const MAX_UNCOMPRESSED_BYTES = 32 * 1024 * 1024;
const MAX_SERIES = 50_000;
const MAX_SAMPLES = 500_000;
const MAX_LABELS = 64;
/** Of a series that has ended: a NaN with bits of its own, which is no value. */
const STALE = 0x7f_f0_00_00_00_00_00_02n;

/** Throws an Error in words when the body is none. */
export function readWriteRequest(body: Uint8Array): readonly WrittenSeries[] {
  const reader = new BinaryReader(uncompressed(body));
  const all: WrittenSeries[] = [];
  let samples = 0;
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    if (field !== 1 || wire !== WireType.LengthDelimited) {
      reader.skip(wire);
      continue;
    }
    const series = readSeries(reader.bytes());
    samples += series.times.length;
    if (samples > MAX_SAMPLES) throw new Error(`more than ${MAX_SAMPLES} samples in a request`);
    all.push(series);
    if (all.length > MAX_SERIES) throw new Error(`more than ${MAX_SERIES} series in a request`);
  }
  return all;
}

/** The length that a block claims is looked at before it is believed. */
function uncompressed(body: Uint8Array): Uint8Array {
  const length = new BinaryReader(body).uint32();
  if (length > MAX_UNCOMPRESSED_BYTES) throw new Error(`a request has at most ${MAX_UNCOMPRESSED_BYTES} bytes`);
  const output = new Uint8Array(length);
  snappyUncompress(body, output);
  return output;
}

function readSeries(bytes: Uint8Array): WrittenSeries {
  const reader = new BinaryReader(bytes);
  const labels = new Map<string, string>();
  const times: number[] = [];
  const values: number[] = [];
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    if (field === 1 && wire === WireType.LengthDelimited) {
      const [name, value] = readLabel(reader.bytes());
      if (value !== '') labels.set(name, value);
      if (labels.size > MAX_LABELS) throw new Error(`more than ${MAX_LABELS} labels on a series`);
    } else if (field === 2 && wire === WireType.LengthDelimited) {
      const { time, value, isStale } = readSample(reader.bytes());
      if (isStale) continue;
      times.push(time);
      values.push(value);
    } else reader.skip(wire);
  }
  if (!labels.has('__name__')) throw new Error('a series has no name');
  return { labels: Object.fromEntries(labels), times, values };
}

function readLabel(bytes: Uint8Array): [name: string, value: string] {
  const reader = new BinaryReader(bytes);
  let [name, value] = ['', ''];
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    if (field === 1 && wire === WireType.LengthDelimited) name = reader.string();
    else if (field === 2 && wire === WireType.LengthDelimited) value = reader.string();
    else reader.skip(wire);
  }
  if (name === '') throw new Error('a label has no name');
  return [name, value];
}

function readSample(bytes: Uint8Array): { time: number; value: number; isStale: boolean } {
  const reader = new BinaryReader(bytes);
  let [time, value, isStale] = [0, 0, false];
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    if (field === 1 && wire === WireType.Bit64) {
      const view = new DataView(bytes.buffer, bytes.byteOffset + reader.pos, 8);
      isStale = view.getBigUint64(0, true) === STALE;
      value = reader.double();
    } else if (field === 2 && wire === WireType.Varint) time = Number(reader.int64());
    else reader.skip(wire);
  }
  return { time, value, isStale };
}
