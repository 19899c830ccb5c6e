import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseGo } from './facts/go-source.ts';
import { runTimeTable } from './facts/run-time-table.ts';
import { typescriptTypes } from './facts/typescript-types.ts';

const SOURCE = `
package v1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

/* type Gone struct {
*/
// +enum
type Phase string

const (
	// Comment with "quotes".
	Ready Phase = "Ready" // trailing
	Lost  Phase = "Lost"
)

// Thing has a sentence that must not be kept.
// +structType=atomic
type Thing struct {
	metav1.TypeMeta \`json:",inline"\`
	// +optional
	// +listType=map
	// +listMapKey=name
	Items []Item \`json:"items,omitempty" patchStrategy:"merge" patchMergeKey:"name" protobuf:"bytes,2,rep,name=items"\`
	UID types.UID \`json:"uid" protobuf:"bytes,3,opt,name=uid,casttype=k8s.io/apimachinery/pkg/types.UID"\` // why
	Count *int32 \`json:"count,omitempty" protobuf:"varint,4,opt,name=count"\`
	Hidden string \`json:"-"\`
}

type Item struct{}
type Names map[string][]byte
`;

test('structs are read with tags and markers, and without their prose', () => {
  const { types, imports } = parseGo(SOURCE);
  assert.equal(imports.get('metav1'), 'k8s.io/apimachinery/pkg/apis/meta/v1');
  assert.deepEqual(
    types.map(({ name }) => name),
    ['Phase', 'Thing', 'Item', 'Names'],
  );
  const thing = types.find(({ name }) => name === 'Thing');
  assert.deepEqual(thing?.markers, ['structType=atomic']);
  assert.equal(thing?.kind, 'struct');
  assert.deepEqual(thing?.kind === 'struct' ? thing.fields : [], [
    { json: '', type: 'metav1.TypeMeta', pointer: false, omitEmpty: false, inline: true, markers: [] },
    {
      json: 'items',
      type: '[]Item',
      pointer: false,
      omitEmpty: true,
      inline: false,
      protobuf: { number: 2, wire: 'bytes' },
      markers: ['optional', 'listType=map', 'listMapKey=name', 'patchStrategy=merge', 'patchMergeKey=name'],
    },
    {
      json: 'uid',
      type: 'types.UID',
      pointer: false,
      omitEmpty: false,
      inline: false,
      protobuf: { number: 3, wire: 'bytes' },
      markers: [],
    },
    {
      json: 'count',
      type: 'int32',
      pointer: true,
      omitEmpty: true,
      inline: false,
      protobuf: { number: 4, wire: 'varint' },
      markers: [],
    },
  ]);
});

test('constants of an enumeration are read, comments around them are not', () => {
  assert.deepEqual(parseGo(SOURCE).constants, [
    { name: 'Ready', type: 'Phase', value: 'Ready' },
    { name: 'Lost', type: 'Phase', value: 'Lost' },
  ]);
});

const FACTS = {
  sources: {},
  structs: {
    'core.v1.Pod': [
      '~ meta.v1.TypeMeta -',
      'metadata meta.v1.ObjectMeta 1:bytes omitempty',
      'spec core.v1.PodSpec 2:bytes omitempty optional',
    ],
    'core.v1.PodSpec': [
      'phase core.v1.Phase 1:bytes',
      'names core.v1.Names 2:bytes omitempty',
      'other core.v1.Other 3:bytes pointer',
    ],
    'core.v1.Other': [],
    'core.v1.Unreached': ['a string 1:bytes'],
    'meta.v1.TypeMeta': ['kind string 1:bytes omitempty', 'apiVersion string 2:bytes omitempty'],
    'meta.v1.ObjectMeta': [],
  },
  structMarkers: { 'core.v1.Other': 'structType=atomic' },
  named: { 'core.v1.Phase': ['string', 'Lost', 'Ready'], 'core.v1.Names': ['map[string][]byte'] },
};

test('the table that ships holds what kinds reach, with names resolved', () => {
  assert.deepEqual(runTimeTable(FACTS), {
    types: {
      'core.v1.Other': '@atomic',
      'core.v1.Pod': '~ meta.v1.TypeMeta - r;metadata meta.v1.ObjectMeta 1 o;spec .PodSpec 2 o',
      'core.v1.PodSpec': 'phase .Phase 1 r;names map[][]byte 2 o;other .Other 3 pr',
      'meta.v1.ObjectMeta': '',
      'meta.v1.TypeMeta': 'kind string 1 o;apiVersion string 2 o',
    },
    enums: { 'core.v1.Phase': ['Lost', 'Ready'] },
  });
});

test('interfaces are optional where Go leaves out, and null where it cannot', () => {
  const text = typescriptTypes(FACTS);
  assert.match(text, /export interface Pod extends KubeObject \{\n {2}spec\?: PodSpec;\n\}/);
  assert.match(
    text,
    /export interface PodSpec \{\n {2}phase: Phase;\n {2}names\?: Record<string, string>;\n {2}other\?: Other \| null;\n\}/,
  );
  assert.match(text, /export type Phase = 'Lost' \| 'Ready';/);
  assert.doesNotMatch(text, /Unreached/);
});
