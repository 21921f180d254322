/**
 * The root's key is rolled over, months in seconds: what is believed follows, no sooner than it may.
 *
 * @see RFC 5011 §6: the scenarios an operator of a zone goes through
 */

import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Message, type ResolverOptions, type ResourceRecord, TYPE } from '#resolver';
import { fakeRuntime } from '#runtime/fake';
import { type Internet, nameOf, openInternet, ROOT_ADDRESS, recordOf } from './internet.ts';
import { makeKeys, type ScenarioKeys } from './rpl-sign.ts';

const START = Date.UTC(2026, 0, 15, 12) / 1000;
const DAY = 86_400;
type Saved = NonNullable<ResolverOptions['followRoot']>['saved'];

/** What the root says of its keys. */
type RootKeys = {
  readonly shown: readonly string[];
  readonly signing: readonly string[];
  /** Shown with REVOKE and signing as such. */
  readonly revoked?: readonly string[];
};

let keys: ScenarioKeys;
let root: RootKeys;
let saved: Saved;
let internet: Internet;

const made = (order: 'SIGN' | 'DNSKEY', ids: readonly string[], changes: object = {}) =>
  ({ kind: 'made', line: 0, order, keys: ids, changes: new Map(Object.entries(changes)) }) as const;

const FOREVER = { expiration: String(400 * DAY) };

function withRevoke(record: ResourceRecord): ResourceRecord {
  return { ...record, rdata: record.rdata.with(1, (record.rdata[1] ?? 0) | 0x80) };
}

/** RFC 4034 appendix B. */
function tagOf({ rdata }: ResourceRecord): number {
  const sum = rdata.reduce((all, octet, at) => all + (at % 2 === 0 ? octet << 8 : octet), 0);
  return (sum + (sum >> 16)) & 0xffff;
}

function dnskeySet({ shown, signing, revoked = [] }: RootKeys): ResourceRecord[] {
  const plain = keys.expand([made('DNSKEY', shown)]);
  const dead = keys.expand([made('DNSKEY', revoked)]).map(withRevoke);
  const set = [...plain, ...dead].map((record) => ({ kind: 'record', record }) as const);
  const signatures = [
    ...signing.map((id) => made('SIGN', [id], FOREVER)),
    ...revoked.map((id, at) => {
      const dying = dead[at];
      const tag = dying === undefined ? {} : { tag: String(tagOf(dying)) };
      return made('SIGN', [id], { ...FOREVER, ...tag });
    }),
  ];
  const all = signatures.flatMap((sign) => keys.expand([...set, sign]).slice(set.length));
  return [...set.map(({ record }) => record), ...all];
}

function answer(query: Message, right: Message): Message {
  const [question] = query.questions;
  if (question?.type === TYPE.DNSKEY) return { ...right, rcode: 0, answers: dnskeySet(root) };
  const owner = question?.name ?? nameOf('www.');
  const [, tag] = /^.alias-of-(\d{5})/.exec(owner.key) ?? [];
  const text = tag === undefined ? 'A 198.51.100.1' : `CNAME root-key-sentinel-is-ta-${tag}.`;
  const record = { ...recordOf(`www. 60 IN ${text}`), owner };
  const line = { kind: 'record', record } as const;
  const signers = root.signing.slice(0, 1);
  return { ...right, rcode: 0, answers: keys.expand([line, made('SIGN', signers, FOREVER)]) };
}

async function start(): Promise<Internet> {
  const opened = await openInternet([{ apex: '.', at: [ROOT_ADDRESS], lines: [] }], {
    quirks: { [ROOT_ADDRESS]: answer },
    trustAnchors: [keys.anchor('old')],
    time: 'wall',
    minimise: false,
    randomiseCase: false,
    keyTagSignal: true,
    followRoot: {
      saved,
      save: (now) => {
        saved = now;
      },
      delay: 0,
    },
  });
  opened.clock.set(START);
  await opened.clock.advance(1);
  return opened;
}

beforeEach(async () => {
  const order = (id: string, algorithm = 13) => ({ id, zone: '.', algorithm, flags: 257 });
  const { crypto } = fakeRuntime();
  // Signatures of the next one cost so much that they are verified elsewhere.
  keys = await makeKeys(crypto, [order('old'), order('next', 14), order('thief')], START);
  root = { shown: ['old'], signing: ['old'] };
  saved = [];
  internet = await start();
});
afterEach(() => internet[Symbol.asyncDispose]());

/** Goes to that day and looks. */
async function onDay(day: number, now: RootKeys = root): Promise<string> {
  root = now;
  internet.clock.set(START + day * DAY);
  await internet.clock.advance(60_000);
  return saved.map(({ state }) => state).join();
}

async function isBelieved(): Promise<boolean> {
  const reply = await internet.ask('www.', 'A', {
    edns: { udpSize: 1232, version: 0, dnssecOk: true, options: [] },
  });
  return reply.message.authenticData;
}

const BOTH = { shown: ['old', 'next'], signing: ['old'] };
const NEXT = { shown: ['next'], signing: ['next'] };

test('from one key to the next: waiting, valid, the old one missing, revoked and removed', async () => {
  expect(await onDay(0)).toBe('');
  expect(await isBelieved()).toBe(true);
  expect(await onDay(1, BOTH)).toBe('add-pend');
  expect(await onDay(20)).toBe('add-pend');
  expect(await onDay(31.1)).toBe('valid');
  expect(await onDay(32, NEXT)).toBe('missing,valid');
  expect(await isBelieved()).toBe(true);
  expect(await onDay(33, { ...NEXT, revoked: ['old'] })).toBe('revoked,valid');
  expect(await onDay(40, NEXT)).toBe('revoked,valid');
  expect(await onDay(64)).toBe('removed,valid');
  expect(await isBelieved()).toBe(true);
  // Whoever has the old key may say what they like.
  expect(await onDay(70, { shown: ['old', 'thief'], signing: ['old'] })).toBe('removed,valid');
  expect(await isBelieved()).toBe(false);
});

test('a key that signs before it is trusted is not believed', async () => {
  await onDay(1, BOTH);
  expect(await onDay(10, NEXT)).toBe('add-pend');
  expect(await isBelieved()).toBe(false);
  expect(await onDay(11, { ...BOTH, signing: ['old'] })).toBe('add-pend');
  expect(await isBelieved()).toBe(true);
});

test('a thief who shows a key of theirs for a day gets nothing', async () => {
  expect(await onDay(1, { shown: ['old', 'thief'], signing: ['old'] })).toBe('add-pend');
  expect(await onDay(2, { shown: ['old'], signing: ['old'] })).toBe('');
  expect(await onDay(40, { shown: ['thief'], signing: ['thief'] })).toBe('');
  expect(await isBelieved()).toBe(false);
});

test('the hold-down goes on where it was after a restart', async () => {
  await onDay(1, BOTH);
  await internet[Symbol.asyncDispose]();
  internet = await start();
  expect(await onDay(30, BOTH)).toBe('add-pend');
  await internet[Symbol.asyncDispose]();
  internet = await start();
  expect(await onDay(31.1, BOTH)).toBe('valid');
  expect(await onDay(32, NEXT)).toBe('valid,missing');
  expect(await isBelieved()).toBe(true);
});

test('a root all of whose anchors are revoked has none (§5)', async () => {
  await onDay(1, { shown: [], signing: [], revoked: ['old'] });
  root = { shown: ['next'], signing: ['next'] };
  internet.resolver.flush();
  const reply = await internet.ask('www.', 'A');
  expect([reply.message.rcode, reply.message.authenticData]).toEqual([0, false]);
});

test('it is asked for as often as its TTL says: every half hour would be too often', async () => {
  const asked = () => internet.asked.filter(({ type }) => type === 'DNSKEY').length;
  const before = asked();
  await internet.clock.advance(59 * 60_000);
  expect(asked()).toBe(before);
  await internet.clock.advance(2 * 60_000);
  expect(asked()).toBe(before + 1);
});

/** As in a name: five digits. */
function tagInName(): string {
  const [, tag = ''] = / DS (\d+) /.exec(keys.anchor('old')) ?? [];
  return tag.padStart(5, '0');
}

test('the root hears which key is trusted, once for each time its keys are fetched (RFC 8145)', async () => {
  await internet.ask('www.', 'A');
  await internet.ask('other.', 'A');
  await internet.clock.advance(1000);
  const signals = () => internet.asked.filter(({ type }) => type === 'NULL');
  const tag = Number(tagInName()).toString(16).padStart(4, '0');
  expect(signals()).toMatchObject([{ name: `_ta-${tag}.`, server: ROOT_ADDRESS }]);
});

test.each([
  { is: 'is', whose: 'ours', rcode: 0 },
  { is: 'is', whose: 'nobody’s', rcode: 2 },
  { is: 'not', whose: 'ours', rcode: 2 },
  { is: 'not', whose: 'nobody’s', rcode: 0 },
])(
  'a sentinel that says $is of a key that is $whose: $rcode (RFC 8509)',
  async ({ is, whose, rcode }) => {
    const other = String((Number(tagInName()) + 1) % 65_536).padStart(5, '0');
    const name = `root-key-sentinel-${is}-ta-${whose === 'ours' ? tagInName() : other}.`;
    expect((await internet.ask(name, 'A')).rcode).toBe(rcode);
    expect((await internet.ask(name, 'A', { checkingDisabled: true })).rcode).toBe(0);
  },
);

test('of a chain of aliases only the name that was asked is a sentinel (RFC 8509 §3.1)', async () => {
  const other = String((Number(tagInName()) + 1) % 65_536).padStart(5, '0');
  expect((await internet.ask(`alias-of-${other}.`, 'A')).rcode).toBe(0);
});
