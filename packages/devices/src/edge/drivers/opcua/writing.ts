/** Writes and calls: in the types that the server has, not in those of the model. */
import {
  AttributeIds,
  type ClientSession,
  coerceNodeId,
  DataType,
  findBasicDataType,
  getExtensionObjectConstructor,
  type NodeId,
  Variant,
  VariantArrayType,
  type VariantOptions,
  type WriteValueOptions,
} from 'node-opcua-client';
import type { RawValue } from '../../../values/encoding.ts';
import { ValueError } from '../../../values/value.ts';
import type { CallRequest, PointWrite } from '../../driver.ts';
import { DriverError } from '../../driver-error.ts';
import type { Link } from './link.ts';
import type { Namespaces } from './namespaces.ts';
import { itemOf } from './reading.ts';
import { errorOf, errorOfStatus, isBadStatus } from './status.ts';
import { rawOf, type Structure, structureValue, variantValue } from './values.ts';

/** What a variable, or an argument, is of. */
interface VariableType {
  readonly dataType: NodeId;
  readonly basic: DataType;
}

export class Writer {
  readonly #link: Link;
  readonly #namespaces: Namespaces;
  readonly #maxNodes: number;
  /** By node id. What a variable is of does not change while it is there. */
  readonly #types = new Map<string, VariableType>();

  constructor(link: Link, namespaces: Namespaces, maxNodes: number) {
    this.#link = link;
    this.#namespaces = namespaces;
    this.#maxNodes = maxNodes;
  }

  async write(writes: readonly PointWrite[], signal: AbortSignal): Promise<readonly (DriverError | undefined)[]> {
    const outcomes: (DriverError | undefined)[] = [];
    for (let at = 0; at < writes.length; at += this.#maxNodes)
      outcomes.push(...(await this.#writeSome(writes.slice(at, at + this.#maxNodes), signal)));
    return outcomes;
  }

  async #writeSome(writes: readonly PointWrite[], signal: AbortSignal): Promise<readonly (DriverError | undefined)[]> {
    const prepared = await Promise.all(writes.map((write) => this.#prepare(write, signal).catch(errorOf)));
    const good = prepared.filter((each): each is WriteValueOptions => !(each instanceof DriverError));
    // What is lost on its way is not sent again: nobody here knows whether it has arrived.
    const codes = good.length === 0 ? [] : await this.#link.ask(signal, (session) => session.write([...good]));
    let next = 0;
    return prepared.map((each) => {
      if (each instanceof DriverError) return each;
      const code = codes[next++];
      if (code === undefined) return new DriverError('Malformed', 'the server has answered less than it was asked');
      return isBadStatus(code) ? errorOfStatus('the write', code) : undefined;
    });
  }

  async #prepare({ point, value, mask }: PointWrite, signal: AbortSignal): Promise<WriteValueOptions> {
    if (mask !== undefined) throw new DriverError('Unsupported', 'OPC UA writes no single bits');
    const where = itemOf(point, this.#namespaces);
    const type = await this.#typeOf(where.nodeId, signal);
    const variant = await this.#link.ask(signal, (session) => variantOf(session, type, value));
    return { ...where, value: { value: variant } };
  }

  async #typeOf(nodeId: NodeId, signal: AbortSignal): Promise<VariableType> {
    const key = nodeId.toString();
    const known = this.#types.get(key);
    if (known !== undefined) return known;
    const type = await this.#link.ask(signal, (session) => readType(session, nodeId));
    this.#types.set(key, type);
    return type;
  }

  async call(
    { address, input, output, command }: CallRequest,
    signal: AbortSignal,
  ): Promise<Readonly<Record<string, RawValue>>> {
    const objectId = this.#namespaces.nodeId(String(address['objectId']));
    const methodId = this.#namespaces.nodeId(String(address['methodId']));
    const declared = await this.#link.ask(signal, (session) => session.getArgumentDefinition(methodId));
    if (declared.inputArguments.length !== input.length)
      throw new DriverError(
        'Misconfigured',
        `${command} takes ${declared.inputArguments.length} arguments, the model has ${input.length}`,
      );
    const inputArguments = await Promise.all(
      declared.inputArguments.map((argument, at) =>
        this.#link.ask(signal, async (session) =>
          variantOf(session, await typeFrom(session, argument.dataType), input[at]?.value ?? ''),
        ),
      ),
    );
    const result = await this.#link.ask(signal, (session) => session.call({ objectId, methodId, inputArguments }));
    if (isBadStatus(result.statusCode)) throw errorOfStatus(command, result.statusCode);
    return Object.fromEntries(
      output.flatMap(({ name }, at) => {
        const variant = result.outputArguments?.[at];
        const raw = variant === undefined ? undefined : rawOf(variant);
        return raw === undefined ? [] : [[name, raw]];
      }),
    );
  }
}

async function readType(session: ClientSession, nodeId: NodeId): Promise<VariableType> {
  const read = await session.read({ nodeId, attributeId: AttributeIds.DataType });
  if (isBadStatus(read.statusCode)) throw errorOfStatus('the variable', read.statusCode);
  const type = await typeFrom(session, read.value.value as NodeId);
  if (type.basic !== DataType.Null && type.basic !== DataType.Variant) return type;
  // Of a variable that takes any type, the value that it has says which one it is used with.
  const { value } = await session.read({ nodeId, attributeId: AttributeIds.Value });
  return { ...type, basic: value.dataType };
}

async function typeFrom(session: ClientSession, dataType: NodeId): Promise<VariableType> {
  return { dataType: coerceNodeId(dataType), basic: await findBasicDataType(session, dataType) };
}

async function variantOf(session: ClientSession, { dataType, basic }: VariableType, raw: RawValue): Promise<Variant> {
  const isList = Array.isArray(raw);
  const items: readonly RawValue[] = isList ? raw : [raw];
  try {
    const made =
      basic === DataType.ExtensionObject
        ? await structures(session, dataType, items)
        : items.map((item) => variantValue(basic, item));
    const options: VariantOptions = {
      dataType: basic,
      arrayType: isList ? VariantArrayType.Array : VariantArrayType.Scalar,
      value: isList ? made : made[0],
    };
    return new Variant(options);
  } catch (cause) {
    if (cause instanceof ValueError)
      throw new DriverError('Misconfigured', `the value ${cause.message} (${DataType[basic]} of the server)`, {
        cause,
      });
    throw new DriverError('Misconfigured', `the value is no ${DataType[basic]}`, { cause });
  }
}

async function structures(session: ClientSession, dataType: NodeId, items: readonly RawValue[]): Promise<unknown[]> {
  const maker = await getExtensionObjectConstructor(session, dataType);
  const { schema } = maker as unknown as { readonly schema: Structure };
  return items.map((item) => new maker(structureValue(schema, item)));
}
