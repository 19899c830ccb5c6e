/** Node ids as people write them, by the namespaces that the server has now: indexes may change when it restarts, URIs do not. */
import { coerceNodeId, type NodeId } from 'node-opcua-client';
import { DriverError } from '../../driver-error.ts';

export interface Namespaces {
  /** Throws a DriverError. */
  nodeId(text: string): NodeId;
  /** With the URI in the place of the index, so that it stays true. */
  textOf(nodeId: NodeId): string;
}

const STANDARD = 0;

export function namespacesOf(uris: readonly string[]): Namespaces {
  return {
    nodeId: (text) => {
      const [, uri, rest = text] = /^nsu=([^;]+);(.+)$/s.exec(text) ?? [];
      const index = uri === undefined ? undefined : uris.indexOf(uri);
      if (index === -1) throw new DriverError('NotFound', `the server has no namespace ${uri}`);
      try {
        return coerceNodeId(index === undefined ? rest : `ns=${index};${rest}`);
      } catch (cause) {
        throw new DriverError('Misconfigured', `${text} is no node id`, { cause });
      }
    },
    textOf: (nodeId) => {
      const uri = uris[nodeId.namespace];
      const text = nodeId.toString();
      if (nodeId.namespace === STANDARD || uri === undefined) return text.replace(/^ns=0;/, '');
      return text.replace(/^ns=\d+;/, `nsu=${uri};`);
    },
  };
}
