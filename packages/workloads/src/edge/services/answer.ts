/** One DNS message in, one out: what is the cluster's is answered from its names, the rest is asked of the host's servers. */
import {
  type Answer,
  AUTHORITATIVE_ANSWER,
  decode,
  encode,
  type Packet,
  RECURSION_AVAILABLE,
  RECURSION_DESIRED,
  TRUNCATED_RESPONSE,
} from 'dns-packet';
import { AUTHORITY, type Names, type NamesReply } from './names.ts';
import type { Upstream } from './upstream.ts';

const HEADER_BYTES = 12;
const PLAIN_UDP_BYTES = 512;
/** Passes every path in one piece. */
const MAX_UDP_BYTES = 1232;
const MAX_TCP_BYTES = 65_535;
const STANDARD_QUERY = 0;
const FORMAT_ERROR = 1;
const SERVER_FAILURE = 2;
const NO_SUCH_NAME = 3;
const NOT_IMPLEMENTED = 4;
/** One name stands for another, which stands for … but not for ever. */
const MAX_ALIASES = 8;

export interface AnswerContext {
  /** Undefined while they are not known yet. */
  readonly names: () => Names | undefined;
  readonly upstream: Upstream;
  /** Which of several addresses comes first; a number from 0 up to, without, 1. */
  readonly random: () => number;
}

export interface Asker {
  readonly viaTcp: boolean;
  /** On the host's own network. */
  readonly isOnHost: boolean;
}

/** Undefined for what deserves no answer. */
export async function answer(
  context: AnswerContext,
  message: Buffer,
  { viaTcp, isOnHost }: Asker,
): Promise<Buffer | undefined> {
  if (message.length < HEADER_BYTES || ((message[2] ?? 0) & 0x80) !== 0) return undefined;
  if (((message[2] ?? 0) & 0x78) !== STANDARD_QUERY) return refusal(message, NOT_IMPLEMENTED);
  const query = tryDecode(message);
  if (query === undefined) return refusal(message, FORMAT_ERROR);
  const [question, ...more] = query.questions ?? [];
  if (question === undefined || more.length > 0) return refusal(message, FORMAT_ERROR);
  const names = context.names();
  // Better no answer than a wrong one, which would be remembered.
  if (names === undefined) return refusal(message, SERVER_FAILURE);
  const own = names.lookUp(question.name, question.type, isOnHost);
  if (own === undefined) return (await context.upstream.ask(message, viaTcp)) ?? refusal(message, SERVER_FAILURE);
  const whole = await followAliases({ names, upstream: context.upstream }, own, query, viaTcp);
  return fit(replyOf(query, whole, context.random), query, viaTcp);
}

type Decoded = ReturnType<typeof decode>;

function tryDecode(message: Buffer): Decoded | undefined {
  try {
    return decode(message);
  } catch {
    return undefined;
  }
}

/** The header and the question as they came, with a code and nothing else. */
function refusal(message: Buffer, code: number): Buffer {
  const reply = Buffer.from(message.subarray(0, HEADER_BYTES));
  reply[2] = ((reply[2] ?? 0) & 0x79) | 0x80;
  reply[3] = 0x80 | code;
  reply.fill(0, 4);
  return reply;
}

/** A Service may be but another name: whoever asks for an address gets the address, too. */
async function followAliases(
  { names, upstream }: { readonly names: Names; readonly upstream: Upstream },
  first: NamesReply,
  query: Decoded,
  viaTcp: boolean,
): Promise<NamesReply> {
  const [question] = query.questions ?? [];
  let reply = first;
  const answers = [...first.answers];
  for (let count = 0; reply.outside !== undefined && count < MAX_ALIASES; count++) {
    if (question === undefined || question.type === 'CNAME') break;
    const name = reply.outside;
    const inside = names.lookUp(name, question.type);
    if (inside === undefined) {
      const asked = await upstream.ask(encode({ ...query, questions: [{ ...question, name }] }), viaTcp);
      answers.push(...((asked === undefined ? undefined : tryDecode(asked))?.answers ?? []));
      break;
    }
    answers.push(...inside.answers);
    reply = inside;
  }
  return { ...first, answers };
}

function replyOf(query: Decoded, { exists, answers, additionals }: NamesReply, random: () => number): Packet {
  const wish = edns(query);
  return {
    type: 'response',
    id: query.id ?? 0,
    flags:
      AUTHORITATIVE_ANSWER |
      RECURSION_AVAILABLE |
      (query.flag_rd ? RECURSION_DESIRED : 0) |
      (exists ? 0 : NO_SUCH_NAME),
    questions: query.questions ?? [],
    answers: rotated(answers, random),
    authorities: answers.length === 0 ? [AUTHORITY] : [],
    additionals: [
      ...additionals,
      ...(wish === undefined
        ? []
        : [
            {
              type: 'OPT',
              name: '.',
              udpPayloadSize: MAX_UDP_BYTES,
              extendedRcode: 0,
              ednsVersion: 0,
              flags: 0,
              flag_do: false,
              options: [],
            } as Answer,
          ]),
    ],
  };
}

/** Clients take the first address, so each one is first in turn. */
function rotated(answers: readonly Answer[], random: () => number): Answer[] {
  if (answers.some(({ type }) => type === 'CNAME')) return [...answers];
  const by = Math.floor(random() * answers.length);
  return [...answers.slice(by), ...answers.slice(0, by)];
}

/** What is too large says so, and is asked for again over TCP. */
function fit(reply: Packet, query: Decoded, viaTcp: boolean): Buffer {
  const limit = viaTcp ? MAX_TCP_BYTES : Math.min(MAX_UDP_BYTES, Math.max(PLAIN_UDP_BYTES, edns(query) ?? 0));
  const whole = encode(reply);
  if (whole.length <= limit) return whole;
  const lean = encode({ ...reply, additionals: [] });
  if (lean.length <= limit) return lean;
  return encode({ ...reply, flags: (reply.flags ?? 0) | TRUNCATED_RESPONSE, answers: [], additionals: [] });
}

/** How much the asker says it can take. */
function edns({ additionals = [] }: Decoded): number | undefined {
  const option = additionals.find(({ type }) => type === 'OPT');
  return option !== undefined && 'udpPayloadSize' in option ? option.udpPayloadSize : undefined;
}
