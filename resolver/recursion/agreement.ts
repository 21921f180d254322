/**
 * Servers that change the case of names and cannot be asked over TCP.
 *
 * Neither random letters nor a connection tells their replies from forged ones, so they are asked the
 * same in plain letters `ASKS_TO_AGREE` times, each with an id and a port of its own, and believed if
 * they say the same each time. A single reply that does not fit ends that: who forges would have to
 * guess right as often in a row, and never wrong. One forged reply in other letters brings it about
 * and gains nothing by it: all that is remembered is that TCP failed.
 *
 * @see draft-vixie-dnsext-dns0x20, RFC 5452 §9.3; Unbound does likewise for `use-caps-for-id`
 * Pure: values only; upstream.ts writes the letters and draws ids and ports.
 */

import type { Message } from '../message/message.ts';
import type { ResourceRecord } from '../message/record.ts';
import type { Event, Send } from './frame.ts';
import { overTcp } from './resend.ts';
import type { Servers } from './servers.ts';

/** Replies that must say the same. */
export const ASKS_TO_AGREE = 3;

/** What a server was asked in plain letters so far. */
export type Agreement = {
  /** 0: over TCP it is still to be tried. */
  readonly asks: number;
  /** What it said, but for times to live and the order of records. */
  readonly said?: string;
};

/** Whether the question is one of those whose replies have to agree. */
export function isPlain({ agreement, transport }: Send): boolean {
  return agreement !== undefined && transport === 'udp';
}

/** What to send after a reply that may be forged; 'no-use': its server is asked no more. */
export function afterForgery(
  sent: Send,
  { isOnlyCase }: Extract<Event, { kind: 'forged' }>,
  servers: Servers,
  now: number,
): Send | 'no-use' {
  if (isPlain(sent)) return 'no-use';
  if (isOnlyCase !== true) return overTcp(sent);
  return servers.lacksTcp(sent.server, now)
    ? plainly(sent, servers, now)
    : { ...overTcp(sent), agreement: { asks: 0 } };
}

/** What to send when TCP, which was to tell whether the case was a forgery, failed; undefined: it was not. */
export function withoutTcp(sent: Send, servers: Servers, now: number): Send | undefined {
  if (sent.transport !== 'tcp' || sent.agreement?.asks !== 0) return undefined;
  servers.noteNoTcp(sent.server, now);
  return plainly(sent, servers, now);
}

function plainly(sent: Send, servers: Servers, now: number): Send {
  const timeout = servers.timeout(sent.server, now);
  return { ...sent, transport: 'udp', timeout, agreement: { asks: 1 } };
}

/** What to send before a reply is believed; undefined: nothing; 'no-use': it contradicts an earlier one. */
export function confirm(sent: Send, reply: Message): Send | 'no-use' | undefined {
  const { agreement } = sent;
  if (agreement === undefined || !isPlain(sent)) return undefined;
  const said = describe(reply);
  if (said !== (agreement.said ?? said)) return 'no-use';
  const { asks } = agreement;
  return asks === ASKS_TO_AGREE ? undefined : { ...sent, agreement: { asks: asks + 1, said } };
}

function describe({ rcode, authoritative, answers, authorities, additionals }: Message): string {
  const sections = [answers, authorities, additionals];
  return JSON.stringify([rcode, authoritative, ...sections.map(describeSection)]);
}

/** Servers turn records round, and some count times to live down. */
function describeSection(records: readonly ResourceRecord[]): readonly string[] {
  return records
    .map(({ owner, type, class: among, rdata }) => `${owner.key} ${type} ${among} ${rdata}`)
    .sort();
}
