/**
 * Questions to one resolver over a connection under TLS: many under way, answered in any order.
 *
 * @see RFC 7858, RFC 7766 §6.2.1.1 and §7 (DoT)  @see RFC 8484 §4 (DoH)  @see RFC 8467 §4.1 (padding)
 */

import type { Connection, HttpSession, Random } from '#runtime';
import { encodeOption } from '../message/edns-option.ts';
import { decodeMessage, encodeMessage, type Message } from '../message/message.ts';
import { CLASS, OPCODE, RCODE } from '../message/type.ts';
import type { Event, Send } from '../recursion/frame.ts';
import { frame, unframe } from '../serving/framing.ts';
import type { Keepable } from './kept.ts';

/** Queries fill a multiple of so many octets (RFC 8467 §4.1). */
const PADDING_BLOCK = 128;
/** Code and length. */
const OPTION_HEADER = 4;

/** Questions under way on one connection: as many as there are in all. */
const MAX_PIPELINED = 1000;
const ID_DRAWS = 16;

const MAX_MESSAGE = 65_535;
const MEDIA_TYPE = 'application/dns-message';

export type Line = Keepable & {
  /** Messages that came; whether the other side is alive. */
  readonly heard: number;
  /** What came of it; 'broken' when the connection ended before. `signal` gives the question up. */
  exchange(send: Send, signal: AbortSignal): Promise<Event | 'broken'>;
};

/** DNS over TLS on a connection. */
export function tlsLine(connection: Connection, random: Random, udpSize: number): Line {
  const pending = new Map<number, (data: Uint8Array | undefined) => void>();
  let isOpen = true;
  let heard = 0;

  async function read(): Promise<void> {
    for await (const data of unframe(connection.received())) {
      heard++;
      pending.get(((data[0] ?? 0) << 8) | (data[1] ?? 0))?.(data);
    }
  }
  const end = () => {
    isOpen = false;
    connection.abort();
    for (const hear of [...pending.values()]) hear(undefined);
  };
  read().then(end, end);

  function drawId(): number | undefined {
    for (let draw = 0; draw < ID_DRAWS; draw++) {
      const [high = 0, low = 0] = random(2);
      const id = (high << 8) | low;
      if (!pending.has(id)) return id;
    }
    return undefined;
  }

  return {
    get isOpen() {
      return isOpen;
    },
    get heard() {
      return heard;
    },
    exchange(send, signal) {
      const id = pending.size < MAX_PIPELINED ? drawId() : undefined;
      if (id === undefined) return Promise.resolve({ kind: 'unreachable' });
      return new Promise((resolve) => {
        const finish = (event: Event | 'broken') => {
          pending.delete(id);
          resolve(event);
        };
        pending.set(id, (data) => {
          const event = data === undefined ? 'broken' : judge(data, send, id);
          if (event !== undefined) finish(event);
        });
        signal.addEventListener('abort', () => finish({ kind: 'timeout' }));
        connection.write(frame(encodeQuery(send, id, udpSize))).catch(end);
      });
    },
    async [Symbol.asyncDispose]() {
      end();
    },
  };
}

/** DNS over HTTPS on a session. */
export function httpsLine(session: HttpSession, url: string, udpSize: number): Line {
  let heard = 0;

  async function post(send: Send, signal: AbortSignal): Promise<Event> {
    const body = encodeQuery(send, 0, udpSize).slice();
    const headers = { 'content-type': MEDIA_TYPE, accept: MEDIA_TYPE };
    const request = new Request(url, { method: 'POST', headers, body, signal });
    const response = await session.fetch(request);
    heard++;
    const isMessage = response.headers.get('content-type') === MEDIA_TYPE;
    const data = response.status === 200 && isMessage ? await readBody(response) : undefined;
    return (data && judge(data, send, 0)) ?? { kind: 'unreachable' };
  }

  return {
    get isOpen() {
      return session.isOpen;
    },
    get heard() {
      return heard;
    },
    exchange: (send, signal) =>
      post(send, signal).catch((): Event | 'broken' =>
        signal.aborted ? { kind: 'timeout' } : 'broken',
      ),
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  };
}

/** The whole body, unless it is larger than any message. */
async function readBody({ body }: Response): Promise<Uint8Array | undefined> {
  if (body === null) return undefined;
  const octets: number[] = [];
  for await (const chunk of body) {
    if (octets.length + chunk.length > MAX_MESSAGE) return undefined;
    for (const octet of chunk) octets.push(octet);
  }
  return Uint8Array.from(octets);
}

/** A reply to this question; undefined for anything else. */
function judge(data: Uint8Array, send: Send, id: number): Event | undefined {
  const decoded = decodeMessage(data);
  if (!decoded.ok || !decoded.message.response) return undefined;
  const { message } = decoded;
  const [question] = message.questions;
  const isOurs =
    message.id === id &&
    message.opcode === OPCODE.QUERY &&
    question?.type === send.type &&
    question.class === CLASS.IN &&
    question.name.key === send.name.key;
  return isOurs ? { kind: 'reply', message, bytes: data.length, milliseconds: 0 } : undefined;
}

/** Nobody between us sees the question, so it needs no disguise but its length. */
function encodeQuery(send: Send, id: number, udpSize: number) {
  const { name, type, edns, recursionDesired, checkingDisabled = false } = send;
  const message: Message = {
    ...{ id, response: false, opcode: OPCODE.QUERY, authoritative: false, truncated: false },
    ...{ recursionDesired, recursionAvailable: false, authenticData: false },
    ...{ checkingDisabled, rcode: RCODE.NOERROR },
    questions: [{ name, type, class: CLASS.IN }],
    ...{ answers: [], authorities: [], additionals: [] },
    edns: edns ? { udpSize, version: 0, dnssecOk: true, options: [] } : undefined,
  };
  const bare = encodeMessage(message);
  if (message.edns === undefined) return bare;
  const size = bare.length + OPTION_HEADER;
  const length = Math.ceil(size / PADDING_BLOCK) * PADDING_BLOCK - size;
  const options = [encodeOption({ option: 'PADDING', length })];
  return encodeMessage({ ...message, edns: { ...message.edns, options } });
}
