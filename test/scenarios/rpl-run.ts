/**
 * Plays a scenario (rpl-file.ts) with our resolver in the internet of internet.ts, where every
 * server says what the scenario's ranges tell it to.
 *
 * A question without an entry is answered SERVFAIL and counted; an address without a range is
 * nobody's. Comparison is neutral: TTLs, the order of records and transport do not matter.
 */

import {
  decodeMessage,
  encodeMessage,
  type Message,
  parseNat64Prefix,
  printName,
  printRecord,
  type ResolverOptions,
  TYPE,
  typeName,
} from '#resolver';
import type { Crypto } from '#runtime';
import { fakeRuntime } from '#runtime/fake';
import {
  type Asked,
  type Internet,
  openInternet,
  type Quirk,
  queryFor,
  recordOf,
  soaOf,
  type ZoneSpec,
} from './internet.ts';
import type { Entry } from './rpl-entry.ts';
import type { Scenario, Step } from './rpl-file.ts';
import { makeKeys, type ScenarioKeys } from './rpl-sign.ts';
import { isBelow, type SignedZone, signedZone, withProofs, type ZoneBlock } from './rpl-zone.ts';

/** Where the resolver did not do as written. */
export type Difference = { readonly line: number; readonly expected: string; readonly got: string };

export type Outcome = {
  readonly differences: readonly Difference[];
  /** Questions that the scenario knows no answer to, as `address name type`. */
  readonly unknown: readonly string[];
};

type Told = { readonly internet: Internet; readonly keys: ScenarioKeys };

/** A scenario's internet before its first step; `current` says at which step it is. */
export async function openScenario(
  { head, ranges, zones }: Scenario,
  options: {
    readonly minimise: boolean;
    readonly crypto?: Crypto;
    /** What is said in place of what a zone's server would say. */
    readonly lie?: (right: Message) => Message;
  },
): Promise<Told & { readonly unknown: string[]; readonly current: { number: number } }> {
  const keys = await makeKeys(fakeRuntime().crypto, head.keys, head.now);
  const unknown: string[] = [];
  const current = { number: 0 };
  const specs = zones.map((zone) => specOf(zone, keys));
  const signers = zones.map((zone, index) => {
    const lines = [soaOf(zone.apex), ...(specs[index]?.lines ?? [])];
    return signedZone(zone, lines.map(recordOf), keys);
  });
  const quirkOf = (address: string): Quirk => {
    const own = ranges.filter((range) => range.address === address);
    const held = signers.filter(({ block }) => block.at.includes(address));
    return (query, right, transport) => {
      const entry = own
        .filter(({ from, to }) => from <= current.number && current.number <= to)
        .flatMap(({ entries }) => entries)
        .find((each) => fits(each, query, transport));
      if (entry === undefined && held.length > 0) {
        const said = proven(right, query, held);
        return options.lie?.(said) ?? said;
      }
      if (entry === undefined) {
        const [question] = query.questions;
        unknown.push(`${address} ${question ? printQuestion(question) : ''}`);
        return { ...query, response: true, rcode: SERVFAIL };
      }
      return entry.adjust.has('do_not_answer') ? undefined : replyOf(entry, query, keys);
    };
  };
  const addresses = new Set([
    ...ranges.map(({ address }) => address),
    ...zones.flatMap(({ at }) => at),
    ...head.roots,
  ]);
  const internet = await openInternet(specs, {
    quirks: Object.fromEntries([...addresses].map((address) => [address, quirkOf(address)])),
    rootHints: [{ name: 'root-server.test.', addresses: head.roots }],
    trustAnchors: [...head.anchors, ...head.trusted.map((id) => keys.anchor(id))],
    ipv6: head.ipv6,
    ...afterwards(head),
    minimise: options.minimise,
    crypto: options.crypto,
    randomiseCase: false,
  });
  internet.clock.set(head.now);
  return { internet, keys, unknown, current };
}

/** What is made of finished answers. */
function afterwards({ dns64, rebindProtection }: Scenario['head']): Partial<ResolverOptions> {
  const prefix = dns64 === undefined ? undefined : parseNat64Prefix(dns64);
  return {
    ...(prefix === undefined ? {} : { dns64: { prefix } }),
    ...(rebindProtection ? { rebindProtection: { except: [] } } : {}),
  };
}

/** Plays it. */
export async function playScenario(
  scenario: Scenario,
  options: { readonly minimise: boolean },
): Promise<Outcome> {
  const { internet, keys, unknown, current } = await openScenario(scenario, options);
  await using _ = internet;
  const differences: Difference[] = [];
  const played: Played = { reply: undefined, before: 0 };
  for (const step of scenario.steps) {
    current.number = step.number;
    differences.push(...(await playStep(step, { internet, keys }, played)));
  }
  return { differences, unknown };
}

type Played = { reply: Message | undefined; before: number };

async function playStep(step: Step, told: Told, played: Played): Promise<Difference[]> {
  const { internet, keys } = told;
  switch (step.kind) {
    case 'query':
      played.before = internet.asked.length;
      played.reply = await ask(internet, step.entry);
      return [];
    case 'check-answer':
      return compare(step.entry, played.reply, keys);
    case 'time-passes':
      await internet.clock.advance(step.seconds * 1000);
      return [];
    case 'check-sends': {
      const { max, words, line } = step;
      const sent = internet.asked.slice(played.before).map(printAsked);
      const counted = sent.filter((text) => words.every((word) => text.split(' ').includes(word)));
      if (counted.length <= max) return [];
      return [{ line, expected: `at most ${max} questions`, got: counted.join('\n') }];
    }
  }
}

const printAsked = ({ server, name, type, transport }: Asked) =>
  `${server} ${name} ${type} ${transport.toUpperCase()}`;

const printQuestion = ({ name, type }: Message['questions'][number]) =>
  `${printName(name).toLowerCase()} ${typeName(type)}`;

/* Servers */

const SERVFAIL = 2;

function fits({ match, questions }: Entry, query: Message, transport: 'udp' | 'tcp'): boolean {
  const [want] = questions;
  const [have] = query.questions;
  if (want === undefined || have === undefined) return false;
  if (match.has('qtype') && want.type !== have.type) return false;
  if (match.has('qname') && want.name.key !== have.name.key) return false;
  if (match.has('subdomain') && !isBelow(have.name.key, want.name.key)) return false;
  if (match.has(transport === 'udp' ? 'TCP' : 'UDP')) return false;
  return !match.has(query.edns === undefined ? 'edns' : 'noedns');
}

const RCODES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED', 'YXDOMAIN'];

function replyOf(entry: Entry, query: Message, keys: ScenarioKeys): Message {
  const { reply, adjust } = entry;
  const edns = { udpSize: 4096, version: 0, dnssecOk: reply.has('DO'), options: [] };
  return {
    ...query,
    response: reply.has('QR'),
    authoritative: reply.has('AA'),
    truncated: reply.has('TC'),
    recursionDesired: reply.has('RD'),
    recursionAvailable: reply.has('RA'),
    authenticData: reply.has('AD'),
    checkingDisabled: reply.has('CD'),
    rcode: Math.max(
      0,
      RCODES.findIndex((word) => reply.has(word)),
    ),
    questions: adjust.has('copy_query') ? query.questions : entry.questions,
    answers: keys.expand(entry.answers),
    authorities: keys.expand(entry.authorities),
    additionals: keys.expand(entry.additionals),
    edns: query.edns === undefined ? undefined : edns,
  };
}

function specOf({ apex, at, lines }: ZoneBlock, keys: ScenarioKeys): ZoneSpec {
  return { apex, at, lines: keys.expand(lines).map((record) => printRecord(record)) };
}

/** The zone's own answer, signed when the zone is. */
function proven(right: Message, query: Message, held: readonly SignedZone[]): Message {
  const [question] = query.questions;
  if (question === undefined) return right;
  const { name, type } = question;
  const zone = held
    .filter(({ apex }) => isBelow(name.key, apex.key))
    // DS is its parent's.
    .filter(({ apex }) => type !== TYPE.DS || apex.key !== name.key || held.length === 1)
    .toSorted((a, b) => b.apex.key.length - a.apex.key.length)[0];
  return zone === undefined || zone.block.keys.length === 0
    ? right
    : withProofs(right, query, zone);
}

/* The asker */

/** More than the resolver ever takes. */
const PATIENCE = 30_000;

async function ask(internet: Internet, entry: Entry): Promise<Message | undefined> {
  const { reply, questions } = entry;
  const [question] = questions;
  if (question === undefined) throw new Error(`line ${entry.line}: no question`);
  const query: Message = {
    ...queryFor('.', 'A'),
    questions,
    recursionDesired: reply.has('RD'),
    checkingDisabled: reply.has('CD'),
    authenticData: reply.has('AD'),
    edns: { udpSize: 4096, version: 0, dnssecOk: reply.has('DO'), options: [] },
  };
  const octets = await internet.exchange(encodeMessage(query), PATIENCE);
  const decoded = octets && decodeMessage(octets);
  return decoded?.ok === true ? decoded.message : undefined;
}

const FLAGS = {
  AA: 'authoritative',
  RD: 'recursionDesired',
  RA: 'recursionAvailable',
  AD: 'authenticData',
  CD: 'checkingDisabled',
} as const satisfies Record<string, keyof Message>;

function compare(entry: Entry, reply: Message | undefined, keys: ScenarioKeys): Difference[] {
  const { line, match } = entry;
  const got = reply === undefined ? 'nothing' : print(reply, match);
  const wanted = print(replyOf(entry, queryFor('.', 'A'), keys), match);
  const error = [...match].find((word) => word.startsWith('ede='));
  const expected = error === undefined ? wanted : `${wanted}\n${error}`;
  const said = reply && error !== undefined ? `${got}\nede=${codeOf(reply)}` : got;
  return expected === said ? [] : [{ line, expected, got: said }];
}

const EDE = 15;

function codeOf({ edns }: Message): number | undefined {
  const data = edns?.options.find(({ code }) => code === EDE)?.data;
  return data && ((data[0] ?? 0) << 8) + (data[1] ?? 0);
}

/** What is compared, as text. */
function print(message: Message, match: ReadonlySet<string>): string {
  const { questions, rcode, answers, authorities } = message;
  const lines = (records: Message['answers']) =>
    records.map((record) => printRecord({ ...record, ttl: 0 }).toLowerCase()).toSorted();
  const flags = Object.entries(FLAGS).filter(([, key]) => message[key]);
  return [
    ...(match.has('question') ? questions.map(printQuestion) : []),
    ...(match.has('rcode') ? [RCODES[rcode] ?? `rcode ${rcode}`] : []),
    ...(match.has('flags') ? [flags.map(([word]) => word).join(' ')] : []),
    ...(match.has('answer') ? lines(answers) : []),
    ...(match.has('authority') ? lines(authorities) : []),
  ].join('\n');
}
