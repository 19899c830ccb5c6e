/**
 * Remote write 1.0: Prometheus (with its receiver switched on), VictoriaMetrics and whatever else takes it. Numbers only.
 * https://prometheus.io/docs/specs/prw/remote_write_spec/
 */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { snappyCompress } from 'hyparquet-writer/src/snappy.js';
import { openHttpDoor } from './http-post.ts';
import { labelName, metricName, nameOf } from './names.ts';
import { textOption } from './options.ts';
import type { OutletRows, OutletTarget, TargetSettings } from './target.ts';
import { goodRows, numberOf, Tally } from './values.ts';

export function remoteWriteTarget(settings: TargetSettings): OutletTarget {
  const prefix = textOption(settings.options, 'prefix') ?? '';
  const headers = {
    ...settings.headers,
    'content-type': 'application/x-protobuf',
    'content-encoding': 'snappy',
    'x-prometheus-remote-write-version': '0.1.0',
  };
  const door = openHttpDoor(settings);
  return {
    send: async (rows, signal) => {
      const tally = new Tally();
      const body = encodeWriteRequest(rows, { prefix, tally });
      if (body.length > 0) await door.post({ url: settings.endpoint, headers, body: snappyCompress(body), signal });
      return tally.result();
    },
    close: () => door.close(),
  };
}

/** Series by series; the samples of each by time, as receivers want them. */
export function encodeWriteRequest(
  rows: readonly OutletRows[],
  { prefix, tally }: { readonly prefix: string; readonly tally: Tally },
): Uint8Array {
  const writer = new BinaryWriter();
  for (const one of rows) {
    const samples = samplesOf(one, tally);
    if (samples.length === 0) continue;
    writer.tag(1, WireType.LengthDelimited).fork();
    for (const [name, value] of labelsOf(one, prefix)) {
      writer.tag(1, WireType.LengthDelimited).fork();
      writer.tag(1, WireType.LengthDelimited).string(name).tag(2, WireType.LengthDelimited).string(value).join();
    }
    for (const { time, value } of samples) {
      writer.tag(2, WireType.LengthDelimited).fork();
      writer.tag(1, WireType.Bit64).double(value).tag(2, WireType.Varint).int64(time).join();
    }
    writer.join();
  }
  return writer.finish();
}

function samplesOf(rows: OutletRows, tally: Tally): readonly { readonly time: number; readonly value: number }[] {
  const samples: { readonly time: number; readonly value: number }[] = [];
  for (const { time, value } of goodRows(rows, tally)) {
    const number = numberOf(value);
    if ('dropped' in number) tally.drop(number.dropped);
    else samples.push({ time: Math.floor(time), value: number.value });
  }
  tally.sent(samples.length);
  return samples;
}

function labelsOf({ labels }: OutletRows, prefix: string): readonly (readonly [string, string])[] {
  const { name, labels: rest } = nameOf(labels, prefix);
  const clean = new Map(rest.map(([label, value]) => [labelName(label), value]));
  clean.set('__name__', metricName(name));
  return [...clean].sort(([a], [b]) => (a < b ? -1 : 1));
}
