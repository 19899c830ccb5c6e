/** Rules are planned, and their test cases run, before they are stored. */
import { type KubeObject, StatusError } from '@skerry/api';
import { validate } from '@skerry/api/walker';
import { AdmissionPending, type AdmissionStep } from '@skerry/kube/server';
import { keyPrefix, type Store } from '@skerry/kube/store';
import { RULES, type Rule, STREAMS, STREAMS_GROUP, type Stream, TABLES, type Table } from '@skerry/streams';
import { checkStreamsWrite, type Rehearsal } from '@skerry/streams/cloud';

/** A body whose structure is not in order is left to validation. */
export const streamStep = (rehearsal: Rehearsal): AdmissionStep => ({
  name: 'SkerryStreams',
  admit: ({ store }, { operation, kind, namespace, name, subresource, object, old, warnings }) => {
    const { gvr, gvk } = kind.row;
    if (gvr.group !== STREAMS_GROUP || subresource !== undefined) return;
    const { schema } = kind;
    if (operation !== 'DELETE' && schema !== undefined && validate(object, schema).length > 0) return;
    const write = { operation, kind: gvk.kind, object, ...(old === undefined ? {} : { old }) };
    const errors = checkStreamsWrite(write, {
      streams: () => all<Stream>(store, STREAMS.resource, namespace),
      tables: () => all<Table>(store, TABLES.resource, namespace),
      rules: () => all<Rule>(store, RULES.resource, namespace),
      verdict: (trial) => {
        const came = rehearsal.verdict(trial);
        if ('ready' in came) throw new AdmissionPending(came.ready);
        return came;
      },
      warn: (message) => warnings?.push(message),
    });
    if (errors.length === 0) return;
    const sentences = errors.map(({ message }) => message);
    const summary = sentences.length === 1 ? sentences[0] : `[${sentences.join(', ')}]`;
    throw new StatusError(422, 'Invalid', `${gvk.kind}.${STREAMS_GROUP} "${name}" is invalid: ${summary}`, {
      name,
      group: STREAMS_GROUP,
      kind: gvk.kind,
      causes: errors.map(({ reason, message, path }) => ({ reason, message, field: path })),
    });
  },
});

function all<T extends KubeObject>(store: Store, resource: string, namespace: string): readonly T[] {
  return store.list(keyPrefix(STREAMS_GROUP, resource, namespace)).items.map(({ json }) => JSON.parse(json) as T);
}
