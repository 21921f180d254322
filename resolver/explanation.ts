/**
 * An explanation's parts, made of what the recursor and the validator know: text and numbers that go
 * into JSON as they are. Pure.
 */

import type { Endpoint } from '#runtime';
import { printRecord } from './authority/zone-file.ts';
import type { Link } from './dnssec/chain.ts';
import type { ExtendedError } from './message/ede.ts';
import { type Name, printName } from './message/name.ts';
import { decodeRdataAs } from './message/rdata.ts';
import { type RRset, recordsOf } from './message/rrset.ts';
import { rcodeName, TYPE, typeName } from './message/type.ts';
import type { Event, Outcome, Send } from './recursion/frame.ts';
import type { Judgement } from './recursion/judgement.ts';
import type { Resolved } from './recursion/recursion.ts';

/** Records told of one set. */
const MAX_RECORDS = 16;

/** Another server was asked. */
export type Asked = {
  readonly kind: 'asked';
  readonly server: string;
  readonly transport: string;
  readonly name: string;
  readonly type: string;
  /** Its response code, or why there is none. */
  readonly said: string;
  readonly milliseconds: number;
  readonly bytes: number;
  readonly answers: number;
  readonly authorities: number;
  readonly additionals: number;
  readonly authoritative: boolean;
  readonly truncated: boolean;
};

/** A name was found out about, for its own sake or for the chain of trust. */
export type FoundOut = {
  readonly kind: 'found';
  readonly name: string;
  readonly type: string;
  readonly from: string;
} & Finding;

type Finding = {
  /** answer, alias, no-data, no-name, or why it failed. */
  readonly what: string;
  readonly ttl?: number;
  readonly records: readonly string[];
  readonly signatures: readonly Signed[];
};

/** One signature; times are seconds since 1970. */
type Signed = {
  readonly signer: string;
  readonly keyTag: number;
  readonly algorithm: number;
  readonly covers: string;
  readonly inception: number;
  readonly expiration: number;
};

/** What is at one name on the way from an anchor down. */
export type ChainStep = {
  readonly name: string;
  readonly is: Link['kind'];
  readonly reason?: string;
  readonly keys: readonly { readonly tag: number; readonly algorithm: number }[];
};

/** What the cache knew. */
export type CacheView = { readonly what: string; readonly ttl: number; readonly state: string };

type Verdict = {
  /** unchecked: there is no anchor, or nothing to check. */
  readonly state: 'secure' | 'insecure' | 'bogus' | 'unchecked';
  readonly reason?: string;
  /** The clock was not set: signature times were not looked at. */
  readonly untimed?: true;
};

/** One name of the chain of aliases. */
export type ExplainedName = {
  readonly name: string;
  readonly type: string;
  readonly result: Finding & { readonly from: string };
  readonly verdict: Verdict;
  readonly cachedBefore?: CacheView;
  readonly cachedAfter?: CacheView;
};

export type Explanation = {
  readonly name: string;
  readonly type: string;
  readonly rcode: string;
  readonly ede?: ExtendedError;
  /** What who asks is told: not what was found, where some was taken out or others made of it. */
  readonly answers: readonly string[];
  readonly names: readonly ExplainedName[];
  readonly chain: readonly ChainStep[];
  readonly steps: readonly (Asked | FoundOut)[];
  /** There were more steps. */
  readonly isCut: boolean;
};

/** One link of a chain. */
export function linkView(link: Link): Omit<ChainStep, 'name'> {
  switch (link.kind) {
    case 'zone':
      return {
        is: link.kind,
        keys: link.keys.map(({ tag, algorithm }) => ({ tag, algorithm: algorithm.number })),
      };
    case 'no-cut':
      return { is: link.kind, keys: [] };
    case 'insecure':
    case 'bogus':
      return { is: link.kind, reason: link.reason, keys: [] };
  }
}

/** A question in words. */
export const labels = (name: Name, type: number) => ({
  name: printName(name),
  type: typeName(type),
});

/** A question to another server, and what came of it. */
export function askedOf(send: Send, event: Event): Asked {
  const { server, transport, name, type } = send;
  const message = event.kind === 'reply' ? event.message : undefined;
  return {
    kind: 'asked',
    server: printServer(server),
    transport,
    ...labels(name, type),
    said: message === undefined ? event.kind : rcodeName(message.rcode),
    milliseconds: event.kind === 'reply' ? Math.round(event.milliseconds * 10) / 10 : 0,
    bytes: event.kind === 'reply' ? event.bytes : 0,
    answers: message?.answers.length ?? 0,
    authorities: message?.authorities.length ?? 0,
    additionals: message?.additionals.length ?? 0,
    authoritative: message?.authoritative ?? false,
    truncated: message?.truncated ?? false,
  };
}

function printServer({ address, port }: Endpoint): string {
  return `${address.includes(':') ? `[${address}]` : address}:${port}`;
}

/* What was found */

/** What was found, and who signed it. */
export function foundIn({ outcome, from }: Resolved): Finding & { readonly from: string } {
  const sets = setsIn(outcome);
  const what = outcome.kind === 'failure' ? outcome.reason : outcome.kind;
  const ttl = ttlOf(outcome);
  return {
    from,
    what,
    ...(ttl === undefined ? {} : { ttl }),
    records: sets
      .flatMap((set) => recordsOf(set, false))
      .slice(0, MAX_RECORDS)
      .map((record) => printRecord(record)),
    signatures: signaturesIn(outcome, sets).slice(0, MAX_RECORDS),
  };
}

function setsIn(outcome: Outcome): readonly RRset[] {
  if (outcome.kind === 'answer') return [outcome.rrset];
  return outcome.kind === 'alias' ? outcome.rrsets : [];
}

function ttlOf(outcome: Outcome): number | undefined {
  if (outcome.kind === 'no-data' || outcome.kind === 'no-name') return outcome.denial?.soa.ttl;
  return setsIn(outcome)[0]?.ttl;
}

/** Of the data, or of what denies them. */
function signaturesIn(outcome: Outcome, sets: readonly RRset[]): Signed[] {
  const isDenial = outcome.kind === 'no-data' || outcome.kind === 'no-name';
  const proof = isDenial ? (outcome.denial?.proof ?? outcome.proof ?? []) : [];
  const rdatas = [
    ...sets.flatMap((set) => set.signatures),
    ...proof.filter(({ type }) => type === TYPE.RRSIG).map(({ rdata }) => rdata),
  ];
  return rdatas.flatMap((rdata) => {
    const fields = decodeRdataAs('RRSIG', rdata);
    if (fields === undefined) return [];
    const { signer, keyTag, algorithm, typeCovered, inception, expiration } = fields;
    const covers = typeName(typeCovered);
    return [{ signer: printName(signer), keyTag, algorithm, covers, inception, expiration }];
  });
}

/** What the cache knows. */
export function viewOfCache(outcome: Outcome | undefined): CacheView | undefined {
  if (outcome === undefined) return undefined;
  const { judgement } = outcome;
  const what = outcome.kind === 'failure' ? outcome.reason : outcome.kind;
  return { what, ttl: ttlOf(outcome) ?? 0, state: judgement?.state ?? 'unchecked' };
}

/** What validation made of it. */
export function verdictOf(judgement: Judgement | undefined): Verdict {
  if (judgement === undefined) return { state: 'unchecked' };
  if (judgement.state !== 'secure') return { state: judgement.state, reason: judgement.reason };
  return judgement.isTimed ? { state: 'secure' } : { state: 'secure', untimed: true };
}
