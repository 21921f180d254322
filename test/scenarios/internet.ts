/**
 * An internet in memory: zones on authoritative servers, our resolver, and somebody who asks it.
 *
 * The servers speak through our own codec over the fake network; a server can be told to misbehave.
 * They know referrals with glue, CNAME, DNAME, empty non-terminals and denials, no DNSSEC.
 */

import {
  type AnswerEvent,
  createResolver,
  decodeMessage,
  decodeRdata,
  encodeMessage,
  type Message,
  type Name,
  parseName,
  parseRecord,
  printName,
  printRecord,
  type Resolver,
  type ResolverOptions,
  type ResourceRecord,
  TYPE,
  typeName,
  typeNumber,
} from '#resolver';
import type { Connection, Crypto } from '#runtime';
import {
  type FakeNetwork,
  fakeNetwork,
  fakeRuntime,
  type ManualClock,
  manualClock,
  seededRandom,
} from '#runtime/fake';

/** A zone, the servers that have it, and its records without SOA and apex NS. */
export type ZoneSpec = {
  readonly apex: string;
  readonly at: readonly string[];
  readonly lines: readonly string[];
};

/** What a server was asked. */
export type Asked = {
  readonly server: string;
  readonly name: string;
  readonly type: string;
  readonly transport: 'udp' | 'tcp';
  readonly edns: boolean;
};

/** A misbehaving server: gets the query and its right answer, gives what it sends; nothing: silence. */
export type Quirk = (
  query: Message,
  right: Message,
  transport: 'udp' | 'tcp',
) => Message | Uint8Array | readonly Uint8Array[] | undefined;

export type Answer = {
  readonly rcode: number;
  readonly lines: readonly string[];
  readonly authorities: readonly string[];
  readonly ede: number | undefined;
  readonly message: Message;
};

export type Internet = AsyncDisposable & {
  readonly clock: ManualClock;
  readonly network: FakeNetwork;
  readonly resolver: Resolver;
  readonly asked: Asked[];
  readonly events: AnswerEvent[];
  /** Octets that the servers have said. */
  heard(): number;
  /** Asks our resolver over UDP and waits for the answer, however long that takes. */
  ask(name: string, type: string, flags?: Partial<Message>): Promise<Answer>;
  /** Sends octets to our resolver and returns what comes back, within five seconds unless told. */
  exchange(octets: Uint8Array, milliseconds?: number): Promise<Uint8Array | undefined>;
};

export const ROOT_ADDRESS = '192.0.2.1';
export const RESOLVER = { address: '203.0.113.1', port: 53 };
const ADDRESSES = [RESOLVER.address, '2001:db8:f::1'];
const CLIENT = '203.0.113.2';

/** Builds it and starts the resolver. */
export async function openInternet(
  zones: readonly ZoneSpec[],
  options: Partial<ResolverOptions> & {
    readonly quirks?: Readonly<Record<string, Quirk>>;
    readonly crypto?: Crypto | undefined;
    /** Of the resolver's machine. */
    readonly addresses?: readonly string[];
  } = {},
): Promise<Internet> {
  const clock = manualClock();
  const network = fakeNetwork(clock, seededRandom('network'));
  const asked: Asked[] = [];
  const events: AnswerEvent[] = [];
  const { quirks = {}, crypto, addresses: own = ADDRESSES, ...rest } = options;
  let heard = 0;
  const say = (replies: readonly Uint8Array[]) => {
    for (const { length } of replies) heard += length;
  };
  const built = zones.map(buildZone);
  const addresses = new Set([...zones.flatMap(({ at }) => at), ...Object.keys(quirks)]);
  for (const address of addresses) {
    const held = built.filter(({ spec }) => spec.at.includes(address));
    await openServer(network, address, held, quirks[address], { asked, say });
  }
  const runtime = fakeRuntime({ clock, network, addresses: own });
  const seams = crypto === undefined ? runtime : { ...runtime, crypto };
  const resolver = createResolver(seams, {
    listen: [RESOLVER],
    before: () => ({ kind: 'recurse' }),
    rootHints: [{ name: 'a.root-servers.net.', addresses: [ROOT_ADDRESS] }],
    localZones: false,
    ...rest,
  });
  await resolver.start();
  resolver.onAnswer((event) => events.push(event));
  const client = network.join(CLIENT);

  async function exchange(octets: Uint8Array, milliseconds = 5_000) {
    let reply: Uint8Array | undefined;
    await using socket = await client.udp.bind({ address: CLIENT, port: 0 }, (data) => {
      reply ??= data;
    });
    socket.send(octets, RESOLVER);
    for (let waited = 0; reply === undefined && waited < milliseconds; waited += 50) {
      await clock.settle();
      if (reply === undefined) await clock.advance(50);
    }
    return reply;
  }

  return {
    clock,
    network,
    resolver,
    asked,
    events,
    heard: () => heard,
    exchange,
    async ask(name, type, flags = {}) {
      const reply = await exchange(encodeMessage({ ...queryFor(name, type), ...flags }), 30_000);
      if (reply === undefined) throw new Error(`no answer for ${name} ${type}`);
      return readAnswer(reply);
    },
    [Symbol.asyncDispose]: () => resolver[Symbol.asyncDispose](),
  };
}

/** A query as a stub sends it. */
export function queryFor(name: string, type: string): Message {
  return {
    id: 4711,
    response: false,
    opcode: 0,
    authoritative: false,
    truncated: false,
    recursionDesired: true,
    recursionAvailable: false,
    authenticData: false,
    checkingDisabled: false,
    rcode: 0,
    questions: [{ name: nameOf(name), type: typeNumber(type) ?? 0, class: 1 }],
    answers: [],
    authorities: [],
    additionals: [],
    edns: { udpSize: 1232, version: 0, dnssecOk: false, options: [] },
  };
}

/** The name, or an error in the test. */
export function nameOf(text: string): Name {
  const name = parseName(text);
  if (name === undefined) throw new Error(`no name: ${text}`);
  return name;
}

/** The record on a line, or an error in the test. */
export function recordOf(line: string): ResourceRecord {
  const parsed = parseRecord(line, { ttl: 3600 });
  if (!parsed.ok) throw new Error(`${line}: ${parsed.reason}`);
  return parsed.record;
}

const EDE = 15;

function readAnswer(octets: Uint8Array): Answer {
  const decoded = decodeMessage(octets);
  if (!decoded.ok) throw new Error(`our own answer does not parse: ${decoded.reason}`);
  const { message } = decoded;
  const error = message.edns?.options.find(({ code }) => code === EDE)?.data;
  const print = (records: readonly ResourceRecord[]) =>
    records.map((record) => printRecord(record));
  return {
    rcode: message.rcode,
    lines: print(message.answers),
    authorities: print(message.authorities),
    ede: error && ((error[0] ?? 0) << 8) + (error[1] ?? 0),
    message,
  };
}

/* Authoritative servers */

type Zone = { readonly spec: ZoneSpec; readonly apex: Name; readonly records: ResourceRecord[] };

function buildZone(spec: ZoneSpec): Zone {
  const lines = [soaOf(spec.apex), ...spec.lines];
  return { spec, apex: nameOf(spec.apex), records: lines.map(recordOf) };
}

/** The SOA that every zone gets. */
export function soaOf(apex: string): string {
  const domain = apex === '.' ? 'root.' : apex;
  return `${apex} 3600 IN SOA ns.${domain} host.${domain} 1 7200 900 1209600 300`;
}

async function openServer(
  network: FakeNetwork,
  address: string,
  zones: readonly Zone[],
  quirk: Quirk | undefined,
  { asked, say }: { asked: Asked[]; say: (replies: readonly Uint8Array[]) => void },
): Promise<void> {
  const host = network.join(address);
  const handle = (octets: Uint8Array, transport: 'udp' | 'tcp'): readonly Uint8Array[] => {
    const decoded = decodeMessage(octets);
    const [question] = decoded.ok ? decoded.message.questions : [];
    if (!decoded.ok || question === undefined) return [];
    const query = decoded.message;
    const name = printName(question.name).toLowerCase();
    const type = typeName(question.type);
    asked.push({ server: address, name, type, transport, edns: query.edns !== undefined });
    const right = answerFrom(zones, query, question);
    const given = quirk === undefined ? right : quirk(query, right, transport);
    const limit = transport === 'tcp' ? 65_535 : (query.edns?.udpSize ?? 512);
    const replies = encodeReplies(given, limit);
    say(replies);
    return replies;
  };
  const socket = await host.udp.bind({ address, port: 53 }, (data, from) => {
    for (const reply of handle(data, 'udp')) socket.send(reply, from);
  });
  await host.tcp.listen({ address, port: 53 }, (connection) => {
    void serveTcp(connection, (octets) => handle(octets, 'tcp'));
  });
}

async function serveTcp(
  connection: Connection,
  handle: (octets: Uint8Array) => readonly Uint8Array[],
): Promise<void> {
  let held = new Uint8Array(0);
  for await (const chunk of connection.received()) {
    held = new Uint8Array([...held, ...chunk]);
    const length = ((held[0] ?? 0) << 8) | (held[1] ?? 0);
    if (held.length < length + 2) continue;
    for (const reply of handle(held.slice(2, length + 2))) {
      await connection.write(new Uint8Array([reply.length >> 8, reply.length & 255, ...reply]));
    }
    held = held.slice(length + 2);
  }
}

function encodeReplies(given: ReturnType<Quirk>, limit: number): readonly Uint8Array[] {
  if (given === undefined) return [];
  if (given instanceof Uint8Array) return [given];
  return 'id' in given ? [encodeMessage(given, { limit })] : given;
}

function answerFrom(
  zones: readonly Zone[],
  query: Message,
  question: Message['questions'][number],
): Message {
  const empty: Message = { ...query, response: true, recursionAvailable: false };
  const zone = closest(zones, question.name, question.type);
  if (zone === undefined) return { ...empty, rcode: 5 };
  const cut = zone.records.filter(
    ({ type, owner }) =>
      type === TYPE.NS &&
      owner.key !== zone.apex.key &&
      question.name.key.endsWith(owner.key) &&
      !(question.type === TYPE.DS && owner.key === question.name.key),
  );
  if (cut.length > 0) return { ...empty, authorities: cut, additionals: glueFor(zone, cut) };
  return { ...empty, authoritative: true, ...dataFrom(zone, question.name, question.type) };
}

function closest(zones: readonly Zone[], name: Name, type: number): Zone | undefined {
  return zones
    .filter(({ apex }) => name.key.endsWith(apex.key))
    .filter(({ apex }) => type !== TYPE.DS || apex.key !== name.key || zones.length === 1)
    .toSorted((a, b) => b.apex.key.length - a.apex.key.length)[0];
}

function glueFor(zone: Zone, servers: readonly ResourceRecord[]): ResourceRecord[] {
  return servers.flatMap(({ rdata }) => {
    const target = targetOf(TYPE.NS, rdata);
    return zone.records.filter(
      ({ owner, type }) => owner.key === target?.key && (type === TYPE.A || type === TYPE.AAAA),
    );
  });
}

function targetOf(type: number, rdata: Uint8Array): Name | undefined {
  const data = decodeRdata(type, rdata);
  if (data === undefined) return undefined;
  if ('target' in data) return data.target as Name;
  return Object.values(data).find(
    (value): value is Name => typeof value === 'object' && 'key' in value,
  );
}

type Data = Pick<Message, 'rcode' | 'answers' | 'authorities'>;

function dataFrom(zone: Zone, name: Name, type: number): Data {
  const at = zone.records.filter(({ owner }) => owner.key === name.key);
  const exact = at.filter((record) => record.type === type);
  if (exact.length > 0) return { rcode: 0, answers: exact, authorities: [] };
  const alias = at.find((record) => record.type === TYPE.CNAME);
  if (alias !== undefined) return followAlias(zone, alias, type);
  const soa = zone.records.filter((record) => record.type === TYPE.SOA);
  const dname = zone.records.find(
    (record) =>
      record.type === TYPE.DNAME &&
      record.owner.key !== name.key &&
      name.key.endsWith(record.owner.key),
  );
  if (dname !== undefined) return { rcode: 0, answers: [dname], authorities: [] };
  const exists = zone.records.some(({ owner }) => owner.key.endsWith(name.key));
  const wild = exists ? undefined : wildcardFor(zone, name);
  if (wild !== undefined) return dataFrom(wild, name, type);
  return { rcode: exists ? 0 : 3, answers: [], authorities: soa };
}

/** The zone with what its wildcard stands for at `name` (RFC 4592 §3.3). */
function wildcardFor(zone: Zone, name: Name): Zone | undefined {
  for (let { key } = name; key !== zone.apex.key; ) {
    key = key.slice(key.charCodeAt(0) + 1);
    if (!zone.records.some(({ owner }) => owner.key.endsWith(key))) continue;
    const found = zone.records.filter(({ owner }) => owner.key === `\x01*${key}`);
    const made = found.map((record) => ({ ...record, owner: name }));
    return made.length === 0 ? undefined : { ...zone, records: [...zone.records, ...made] };
  }
  return undefined;
}

function followAlias(zone: Zone, alias: ResourceRecord, type: number): Data {
  const target = targetOf(TYPE.CNAME, alias.rdata);
  const isInside = target?.key.endsWith(zone.apex.key) === true && target.key !== alias.owner.key;
  const rest = zone.records.filter(
    (record) => record.owner.key === target?.key && record.type === type,
  );
  return { rcode: 0, answers: isInside ? [alias, ...rest] : [alias], authorities: [] };
}
