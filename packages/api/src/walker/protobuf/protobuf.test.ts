import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runs } from '@skerry/testkit';
import fc from 'fast-check';
import type { TypeExpression } from '../../facts/field-line.ts';
import { builtinRows, typeNameOf } from '../../facts/index.ts';
import { enumValues, type FieldFacts, typeFacts } from '../../facts/table.ts';
import { formatApiVersion } from '../../names.ts';
import { isStatus } from '../../status.ts';
import { decodeProtobuf, encodeProtobuf } from '../index.ts';

const roundTrip = (object: { apiVersion: string; kind: string }) => decodeProtobuf(encodeProtobuf(object)).object;

function check<T extends { apiVersion: string; kind: string }>(object: T, expected: object = object): void {
  assert.deepEqual(roundTrip(object), expected);
}

test('a body as kubectl sends it is the object that JSON would show', () => {
  // ConfigMap `foo` with data a=b, as client-go writes it: type meta, metadata (creationTimestamp is an empty message), one map entry.
  const hex =
    '6b387300 0a0f 0a027631 1209436f6e6669674d6170 121d 0a13 0a03666f6f 1200 1a00 2200 2a00 3200 3800 4200 1206 0a0161 120162'.replace(
      / /g,
      '',
    );
  const { gvk, object } = decodeProtobuf(Buffer.from(hex, 'hex'));
  assert.deepEqual(gvk, { group: '', version: 'v1', kind: 'ConfigMap' });
  assert.deepEqual(object, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'foo' }, data: { a: 'b' } });
});

test('zero values of pointers are kept, zero values that only the wire needs are not', () => {
  check(
    { apiVersion: 'apps/v1', kind: 'Deployment', spec: { replicas: 0, paused: false, minReadySeconds: 0 } },
    { apiVersion: 'apps/v1', kind: 'Deployment', spec: { replicas: 0 } },
  );
  check({ apiVersion: 'v1', kind: 'PersistentVolumeClaim', spec: { storageClassName: '' } });
  check({ apiVersion: 'v1', kind: 'Pod', spec: { automountServiceAccountToken: false } });
});

test('messages that JSON shows as scalars come back as they were', () => {
  check({
    apiVersion: 'v1',
    kind: 'Service',
    spec: {
      ports: [
        { port: 1, targetPort: 'http' },
        { port: 2, targetPort: 8080 },
      ],
    },
  });
  check({ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', spec: { renewTime: '2026-01-02T03:04:05.678901Z' } });
  check({ apiVersion: 'v1', kind: 'Secret', data: { key: 'AP8=', empty: '' } });
  check({ apiVersion: 'v1', kind: 'LimitRange', spec: { limits: [{ type: 'Pod', max: { cpu: '500m' } }] } });
  check({ apiVersion: 'apps/v1', kind: 'ControllerRevision', data: { any: ['thing', 1, null] }, revision: -1 });
  check({
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SubjectAccessReview',
    spec: { extra: { scopes: ['a', 'b'], none: [] } },
  });
});

test('schemas of definitions keep the form in which they were written', () => {
  const openAPIV3Schema = {
    type: 'object',
    properties: {
      a: { type: 'array', items: { type: 'string', default: 'x', enum: ['x', 1, null] } },
      b: { additionalProperties: { type: 'integer', minimum: 0.5 } },
      c: { additionalProperties: true, 'x-kubernetes-preserve-unknown-fields': true },
      d: { additionalProperties: false },
    },
  };
  const spec = {
    group: 'g',
    scope: 'Cluster',
    versions: [{ name: 'v1', served: true, storage: false, schema: { openAPIV3Schema } }],
  };
  check({ apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', spec });
});

test('a map key __proto__ is data', () => {
  const object = JSON.parse('{"apiVersion":"v1","kind":"ConfigMap","data":{"__proto__":"x"}}') as {
    apiVersion: string;
    kind: string;
  };
  const { data } = roundTrip(object) as { data: object };
  assert.deepEqual(Object.entries(data), [['__proto__', 'x']]);
});

/** Values of a type as the facts describe it; nothing that JSON would leave out. */
function arbitraryOf(type: TypeExpression, depth: number): fc.Arbitrary<unknown> {
  if (type.kind === 'bytes')
    return fc.uint8Array({ minLength: 1, maxLength: 4 }).map((bytes) => Buffer.from(bytes).toString('base64'));
  if (type.kind === 'list') return fc.array(arbitraryOf(type.of, depth), { minLength: 1, maxLength: 2 });
  if (type.kind === 'map')
    return fc.dictionary(fc.stringMatching(/^[a-z]{1,3}$/), arbitraryOf(type.of, depth), {
      minKeys: 1,
      maxKeys: 2,
      noNullPrototype: true,
    });
  const values = enumValues(type.name)?.filter((value) => value !== '');
  if (values !== undefined && values.length > 0) return fc.constantFrom(...values);
  return typeFacts(type.name) === undefined ? scalar(type.name) : struct(type.name, depth);
}

function scalar(name: string): fc.Arbitrary<unknown> {
  switch (name) {
    case 'bool':
      return fc.constant(true);
    case 'int32':
      return fc.integer({ min: -(2 ** 31), max: -1 });
    case 'int64':
      return fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
    case 'float64':
      return fc.double({ noNaN: true, noDefaultInfinity: true, min: 0.5 });
    case 'meta.v1.Time':
      return fc.constant('2026-01-02T03:04:05Z');
    case 'meta.v1.MicroTime':
      return fc.constant('1969-01-02T03:04:05.000007Z');
    case 'meta.v1.Duration':
      return fc.constantFrom('1h2m3.5s', '30s');
    case 'resource.Quantity':
      return fc.constantFrom('1', '500m', '1Gi');
    case 'intstr.IntOrString':
      return fc.oneof(fc.integer({ min: 1, max: 99 }), fc.constant('50%'));
    case 'runtime.RawExtension':
    case 'meta.v1.FieldsV1':
    case 'apiextensions.v1.JSON':
      return fc.constant({ any: ['value'] });
    case 'wrapped-strings':
      return fc.array(fc.string(), { minLength: 1, maxLength: 2 });
    case 'apiextensions.v1.JSONSchemaPropsOrBool':
      return fc.constantFrom<unknown>(true, false, { type: 'string' });
    case 'apiextensions.v1.JSONSchemaPropsOrArray':
      return fc.constantFrom<unknown>({ type: 'string' }, [{ type: 'string' }, { type: 'integer' }]);
    case 'apiextensions.v1.JSONSchemaPropsOrStringArray':
      return fc.constantFrom<unknown>({ type: 'string' }, ['a', 'b']);
    default:
      return fc.string({ minLength: 1, unit: 'binary' });
  }
}

function struct(name: string, depth: number): fc.Arbitrary<object> {
  const fields = (typeFacts(name)?.fields ?? []).flatMap(function flatten(field: FieldFacts): FieldFacts[] {
    const inlined = field.json === undefined && field.type.kind === 'name' ? typeFacts(field.type.name) : undefined;
    return inlined === undefined ? [field] : inlined.fields.flatMap(flatten);
  });
  const carried = fields.filter(
    (field) =>
      field.json !== undefined && field.number !== undefined && field.json !== 'apiVersion' && field.json !== 'kind',
  );
  if (depth > 4) return fc.constant({});
  const entries = carried.map((field) => [field.json ?? '', fc.option(fc.constant(field), { freq: 3 })] as const);
  return fc
    .record(Object.fromEntries(entries))
    .chain((chosen) =>
      fc.record(
        Object.fromEntries(
          Object.entries(chosen).flatMap(([json, field]) =>
            field === null ? [] : [[json, arbitraryOf(field.type, depth + 1)]],
          ),
        ),
      ),
    );
}

test('every kind survives the way to protobuf and back, whatever its fields hold', () => {
  for (const { gvk } of builtinRows()) {
    const name = typeNameOf(gvk) ?? assert.fail(gvk.kind);
    fc.assert(
      fc.property(struct(name, 0), (body) => {
        const object = { apiVersion: formatApiVersion(gvk), kind: gvk.kind, ...body };
        // By way of JSON, because the generated objects have no prototype.
        assert.deepEqual(roundTrip(object), JSON.parse(JSON.stringify(object)));
      }),
      { numRuns: runs(5) },
    );
  }
});

test('any bytes are either an object or a bad request, never anything else', () => {
  const head = [0x6b, 0x38, 0x73, 0x00];
  const tail = encodeProtobuf({
    apiVersion: 'v1',
    kind: 'Pod',
    spec: { containers: [{ name: 'c', image: 'x' }] },
  } as never);
  const mutated = fc
    .tuple(fc.nat(tail.length - 1), fc.nat(255))
    .map(([at, byte]) => Uint8Array.from(tail, (each, index) => (index === at ? byte : each)));
  const bodies = fc.oneof(
    fc.uint8Array(),
    fc.uint8Array().map((bytes) => Uint8Array.from([...head, ...bytes])),
    mutated,
    fc.nat(tail.length).map((end) => tail.slice(0, end)),
  );
  fc.assert(
    fc.property(bodies, (body) => {
      try {
        decodeProtobuf(body);
      } catch (error) {
        if (!isStatus(error, 'BadRequest')) throw error;
      }
    }),
    { numRuns: runs(2000) },
  );
});

test('a length of four gigabytes and messages without end are refused without being believed', () => {
  const unknown = (raw: number[]) =>
    Buffer.from([0x6b, 0x38, 0x73, 0, 0x0a, 9, 0x0a, 2, 0x76, 0x31, 0x12, 3, 0x50, 0x6f, 0x64, 0x12, ...raw]);
  assert.throws(
    () => decodeProtobuf(unknown([0xff, 0xff, 0xff, 0xff, 0x0f])),
    (error) => isStatus(error, 'BadRequest'),
  );
  assert.throws(
    () => decodeProtobuf(unknown([2, 0x0a, 0xff])),
    (error) => isStatus(error, 'BadRequest'),
  );
});

test('a kind that nobody knows is named', () => {
  const body = Buffer.concat([
    Buffer.from([0x6b, 0x38, 0x73, 0, 0x0a, 10, 0x0a, 2, 0x76, 0x31, 0x12, 4]),
    Buffer.from('Nope'),
  ]);
  assert.throws(() => decodeProtobuf(body), /no kind "Nope" is registered for version "v1"/);
});
