/**
 * Replays a scenario file: what servers answer, step by step, and what the resolver must say.
 *
 * The dialect is Unbound's .rpl, reduced: head lines up to CONFIG_END, RANGE blocks with what the
 * server at an ADDRESS answers while the step number lies in the range, STEPs that ask
 * (QUERY), compare (CHECK_ANSWER) and let time pass (TIME_PASSES). A question without an entry is
 * answered SERVFAIL.
 */

import {
  decodeMessage,
  encodeMessage,
  type Message,
  printRecord,
  type ResourceRecord,
} from '#resolver';
import { type Internet, openInternet, type Quirk, queryFor, recordOf } from './internet.ts';

type Entry = {
  readonly match: readonly string[];
  readonly adjust: readonly string[];
  /** Flags and return code, as words. */
  readonly reply: readonly string[];
  readonly questions: Message['questions'];
  readonly answers: readonly ResourceRecord[];
  readonly authorities: readonly ResourceRecord[];
  readonly additionals: readonly ResourceRecord[];
};

type Range = {
  readonly from: number;
  readonly to: number;
  readonly address: string;
  readonly entries: Entry[];
};

type Step = {
  readonly number: number;
  readonly kind: string;
  readonly rest: readonly string[];
  entry?: Entry;
};

/** A parsed scenario. */
export type Scenario = {
  readonly settings: ReadonlyMap<string, string>;
  readonly title: string;
  readonly ranges: readonly Range[];
  readonly steps: readonly Step[];
};

/** Reads a scenario; a line it does not understand is an error. */
export function parseScenario(text: string): Scenario {
  const lines = text
    .split('\n')
    .map((line) => line.replace(/^;.*|\s;.*$/, '').trim())
    .filter((line) => line !== '');
  const head = lines.indexOf('CONFIG_END');
  const settings = new Map(
    lines.slice(0, head).map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1).trim()] as const;
    }),
  );
  const ranges: Range[] = [];
  const steps: Step[] = [];
  let title = '';
  const reader = { lines, at: head + 1 };
  while (reader.at < lines.length) {
    const line = lines[reader.at++] ?? '';
    const [word, first = '', second = '', ...rest] = line.split(/\s+/);
    if (word === 'SCENARIO_BEGIN') title = line.slice(15);
    else if (word === 'RANGE_BEGIN') ranges.push(readRange(reader, Number(first), Number(second)));
    else if (word === 'STEP') steps.push({ number: Number(first), kind: second, rest });
    else if (word === 'ENTRY_BEGIN') {
      const step = steps.at(-1);
      if (step !== undefined) step.entry = readEntry(reader);
    } else if (word !== 'SCENARIO_END') throw new Error(`not understood: ${line}`);
  }
  return { settings, title, ranges, steps };
}

type Reader = { readonly lines: readonly string[]; at: number };

function readRange(reader: Reader, from: number, to: number): Range {
  let address = '';
  const entries: Entry[] = [];
  for (;;) {
    const [word, first = ''] = (reader.lines[reader.at++] ?? 'RANGE_END').split(/\s+/);
    if (word === 'RANGE_END') return { from, to, address, entries };
    if (word === 'ADDRESS') address = first;
    if (word === 'ENTRY_BEGIN') entries.push(readEntry(reader));
  }
}

function readEntry(reader: Reader): Entry {
  const words: Record<string, string[]> = { MATCH: [], ADJUST: [], REPLY: [] };
  const sections: Record<string, string[]> = {};
  let section: string[] = [];
  for (;;) {
    const line = reader.lines[reader.at++] ?? 'ENTRY_END';
    const [word = '', ...rest] = line.split(/\s+/);
    if (word === 'ENTRY_END') break;
    if (word === 'SECTION') {
      section = [];
      sections[rest[0] ?? ''] = section;
    } else if (word in words) words[word]?.push(...rest);
    else section.push(line);
  }
  const records = (name: string) => (sections[name] ?? []).map(recordOf);
  return {
    match: words['MATCH'] ?? [],
    adjust: words['ADJUST'] ?? [],
    reply: words['REPLY'] ?? [],
    questions: (sections['QUESTION'] ?? []).flatMap((line) => {
      const [name = '', , type = ''] = line.split(/\s+/);
      return queryFor(name, type).questions;
    }),
    answers: records('ANSWER'),
    authorities: records('AUTHORITY'),
    additionals: records('ADDITIONAL'),
  };
}

/** What a step found to be different from what it should be. */
export type Difference = { readonly step: number; readonly expected: string; readonly got: string };

/** Plays it; the differences, none when the resolver did all as written. */
export async function replay(scenario: Scenario): Promise<Difference[]> {
  const { settings, ranges, steps } = scenario;
  let now = 0;
  const serve =
    (address: string): Quirk =>
    (query) => {
      const entries = ranges
        .filter((range) => range.address === address && range.from <= now && now <= range.to)
        .flatMap((range) => range.entries);
      const entry = entries.find((each) => matches(each, query));
      return entry === undefined ? { ...query, response: true, rcode: 2 } : replyOf(entry, query);
    };
  const addresses = new Set(ranges.map(({ address }) => address));
  const quirks = Object.fromEntries([...addresses].map((address) => [address, serve(address)]));
  await using internet = await openInternet([], {
    quirks,
    rootHints: [{ name: 'root-server.', addresses: [settings.get('stub-addr') ?? ''] }],
    ipv6: settings.get('do-ip6') === 'yes',
    minimise: settings.get('query-minimization') === 'on',
    allowPrivateUpstream: true,
    randomiseCase: false,
  });
  const differences: Difference[] = [];
  let reply: Message | undefined;
  for (const step of steps) {
    now = step.number;
    if (step.kind === 'QUERY') reply = await ask(internet, step);
    else if (step.kind === 'TIME_PASSES')
      await internet.clock.advance(1000 * Number(step.rest.at(-1)));
    else if (step.kind === 'CHECK_ANSWER') differences.push(...compare(step, reply));
    else throw new Error(`not understood: STEP ${step.number} ${step.kind}`);
  }
  return differences;
}

function matches({ match, questions }: Entry, query: Message): boolean {
  const [want] = questions;
  const [have] = query.questions;
  if (want === undefined || have === undefined) return false;
  if (match.includes('qtype') && want.type !== have.type) return false;
  if (match.includes('qname') && want.name.key !== have.name.key) return false;
  return !match.includes('subdomain') || have.name.key.endsWith(want.name.key);
}

const RCODES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED', 'YXDOMAIN'];

function replyOf(entry: Entry, query: Message): Message {
  const { reply, adjust, answers, authorities, additionals } = entry;
  const has = (word: string) => reply.includes(word);
  return {
    ...query,
    response: has('QR'),
    authoritative: has('AA'),
    truncated: has('TC'),
    recursionDesired: has('RD'),
    recursionAvailable: has('RA'),
    authenticData: has('AD'),
    checkingDisabled: has('CD'),
    rcode: Math.max(0, RCODES.findIndex(has)),
    questions: adjust.includes('copy_query') ? query.questions : entry.questions,
    answers,
    authorities,
    additionals,
    edns: has('DO') ? { udpSize: 4096, version: 0, dnssecOk: true, options: [] } : undefined,
  };
}

async function ask(internet: Internet, { entry }: Step): Promise<Message | undefined> {
  if (entry === undefined) throw new Error('a QUERY without an entry');
  const has = (word: string) => entry.reply.includes(word);
  const query: Message = {
    ...queryFor('.', 'A'),
    questions: entry.questions,
    recursionDesired: has('RD'),
    checkingDisabled: has('CD'),
    authenticData: has('AD'),
    edns: { udpSize: 4096, version: 0, dnssecOk: has('DO'), options: [] },
  };
  const octets = await internet.exchange(encodeMessage(query), 30_000);
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

function compare({ number, entry }: Step, reply: Message | undefined): Difference[] {
  if (entry === undefined) throw new Error('a CHECK_ANSWER without an entry');
  const expected = print(replyOf(entry, queryFor('.', 'A')), entry.match);
  const got = reply === undefined ? 'nothing' : print(reply, entry.match);
  return expected === got ? [] : [{ step: number, expected, got }];
}

/** What is compared, as text: TTLs and the order of records are not. */
function print(message: Message, match: readonly string[]): string {
  const parts: string[] = [];
  if (match.includes('rcode')) parts.push(RCODES[message.rcode] ?? String(message.rcode));
  if (match.includes('flags')) {
    parts.push(
      ...Object.entries(FLAGS).flatMap(([word, key]) => (message[key] === true ? [word] : [])),
    );
  }
  const lines = message.answers.map((record) => printRecord({ ...record, ttl: 0 }).toLowerCase());
  if (match.includes('answer')) parts.push(...lines.toSorted());
  return parts.join('\n');
}
