import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Json, JsonObject } from './json.ts';
import { crypto, type Someone, someone, stateOf } from './members.fixture.ts';
import { holds, rankOf } from './members.ts';
import type { Op, State } from './op.ts';
import { authorize, explainRefusal, factsOf, type RefusalReason } from './rights.ts';
import { approveOps, dangerousPaths, proposeOps } from './second-owner.ts';

const [recovery, ann, ben, tab, guest, hub, porter, fresh, other, porter2] = Array.from(
  { length: 10 },
  (_, index) => someone(index + 1),
) as [Someone, Someone, Someone, Someone, Someone, Someone, Someone, Someone, Someone, Someone];

const set = (path: string, value: Json): Op => ({ op: 'set', path, value });
const del = (path: string): Op => ({ op: 'del', path });
const revoke = ({ path }: Someone, lastSeq: number): Op => ({ op: 'revoke', path, lastSeq });
const member = ({ signingKey }: Someone, more: JsonObject = {}): JsonObject => ({
  name: 'x',
  signingKey,
  ...more,
});
const PORTER = { role: 'device', grants: [{ prefix: 'devices', may: ['admit', 'revoke'] }] };

const RECORDS = {
  'realm/settings': { user: 'ann' },
  'realm/recovery': { id: recovery.id, signingKey: recovery.signingKey },
  [ann.path]: member(ann, { role: 'owner', rank: 1 }),
  [ben.path]: member(ben, { role: 'owner', rank: 2 }),
  [tab.path]: member(tab),
  [guest.path]: member(guest, {
    role: 'guest',
    grants: [{ prefix: 'names/guest', may: ['write'] }],
  }),
  [hub.path]: member(hub, { role: 'hub', grants: [{ prefix: 'names', may: ['write'] }] }),
  [porter.path]: member(porter, PORTER),
  [porter2.path]: member(porter2, PORTER),
  'devices/plain': { name: 'printer' },
} as Record<string, JsonObject>;
const PAST = stateOf(RECORDS);

/** A realm of an earlier version: a founder with an id of no special kind, and a replica. */
const OLD = stateOf({
  'realm/settings': { user: 'ann' },
  'devices/router': { name: 'router', signingKey: ann.signingKey, writer: true },
  [tab.path]: member(tab),
});
const ROUTER: Someone = { ...ann, id: 'router', path: 'devices/router' };

type Row = {
  readonly by: Someone;
  readonly ops: readonly Op[];
  readonly is: RefusalReason | undefined;
  readonly why: string;
  readonly past?: State;
  readonly seq?: number;
};

function ask({ by, ops, past = PAST, seq = 9 }: Row): RefusalReason | undefined {
  const author = { device: by.id, publicKey: by.publicKey, seq };
  return authorize(crypto, past, new Map(), author, ops)?.reason;
}

const check = (row: Row) => expect(ask(row)).toBe(row.is);
const newOwner = member(fresh, { role: 'owner', rank: 3 });

describe('the author', () => {
  test.each<Row>([
    { by: fresh, ops: [set('names/a', {})], is: 'unknown-author', why: 'nobody let it in' },
    { by: { ...ann, publicKey: ben.publicKey }, ops: [], is: 'wrong-key', why: "another's key" },
    {
      by: { ...ann, id: 'plain' },
      ops: [],
      is: 'unknown-author',
      why: 'a record without a key cannot sign',
    },
    { by: recovery, ops: [set('names/a', {})], is: undefined, why: 'the phrase may do anything' },
    { by: ann, ops: [], is: undefined, why: 'nothing asked, nothing refused' },
    {
      by: ann,
      ops: [set('names/a', {}), set('Names/a', {})],
      is: 'wrong-op',
      why: 'no path, and one bad op refuses all',
    },
    {
      by: tab,
      ops: [set(`status/${tab.id}`, {}), set('names/a', {})],
      is: 'no-right',
      why: 'one right does not carry another op',
    },
  ])('$why', check);

  test.each([
    { seq: 7, is: undefined, why: 'the last commit that counts' },
    { seq: 8, is: 'revoked', why: 'beyond it' },
  ])('revoked at 7, number $seq: $why', ({ seq, is }) => {
    const author = { device: ann.id, publicKey: ann.publicKey, seq };
    expect(authorize(crypto, PAST, new Map([[ann.id, 7]]), author, [])?.reason).toBe(is);
  });
});

describe('plain records', () => {
  test.each<Row>([
    { by: ann, ops: [set('names/a', {}), del('names/b')], is: undefined, why: 'owners all' },
    { by: tab, ops: [set('names/a', {})], is: 'no-right', why: 'a device nothing of others' },
    { by: tab, ops: [set(`${tab.path}/endpoints`, [])], is: undefined, why: 'its own facts' },
    { by: tab, ops: [set(`${ann.path}/endpoints`, [])], is: 'no-right', why: "another's facts" },
    { by: tab, ops: [set(`status/${tab.id}`, {})], is: undefined, why: 'its own status' },
    { by: tab, ops: [set(`status/${ann.id}`, {})], is: 'no-right', why: "another's status" },
    { by: tab, ops: [del(`status/${tab.id}/x`)], is: undefined, why: 'a field of its status' },
    { by: guest, ops: [set(`status/${guest.id}`, {})], is: 'no-right', why: 'a guest nothing' },
    { by: guest, ops: [set('names/guest', {})], is: undefined, why: 'but what was granted' },
    { by: guest, ops: [set('names/guest/ttl', 1)], is: undefined, why: 'and below it' },
    { by: guest, ops: [set('names/guest2', {})], is: 'no-right', why: 'not what begins alike' },
    { by: hub, ops: [set('names/a', {})], is: 'no-right', why: 'a hub nothing, even if granted' },
    {
      by: tab,
      ops: [set('realm/settings/user', 'x')],
      is: 'no-right',
      why: 'the realm is owners’',
    },
    { by: ann, ops: [set('realm/settings/user', 'x')], is: undefined, why: 'an owner names it' },
    {
      by: ann,
      ops: [set('devices/plain', { name: 'p' })],
      is: undefined,
      why: 'no key, no rights',
    },
    {
      by: porter,
      ops: [set('devices/plain', {})],
      is: 'no-right',
      why: 'to admit is not to write',
    },
    { by: tab, ops: [set('devices/new', {})], is: 'no-right', why: 'records of no member either' },
  ])('$why', check);
});

describe('members', () => {
  test.each<Row>([
    { by: ann, ops: [set(fresh.path, member(fresh))], is: undefined, why: 'an owner lets in' },
    {
      by: porter,
      ops: [set(fresh.path, member(fresh))],
      is: undefined,
      why: 'so does who was granted it',
    },
    { by: tab, ops: [set(fresh.path, member(fresh))], is: 'no-right', why: 'a device does not' },
    {
      by: ann,
      ops: [set(fresh.path, member(other))],
      is: 'bad-device',
      why: 'a key of another id',
    },
    {
      by: ann,
      ops: [set(fresh.path, { signingKey: 'AAAA' })],
      is: 'bad-device',
      why: 'a key of three bytes',
    },
    {
      by: ann,
      ops: [set(fresh.path, {}), set(`${fresh.path}/signingKey`, other.signingKey)],
      is: 'bad-device',
      why: 'in pieces it is the same',
    },
    {
      by: ann,
      ops: [set(`${tab.path}/signingKey`, other.signingKey)],
      is: 'bad-device',
      why: 'a member never gets another key',
    },
    { by: ann, ops: [set(fresh.path, newOwner)], is: undefined, why: 'an owner makes the next' },
    {
      by: ann,
      ops: [set(fresh.path, newOwner), set(other.path, member(other, { role: 'owner', rank: 4 }))],
      is: undefined,
      why: 'and the one after',
    },
    {
      by: ann,
      ops: [set(fresh.path, newOwner), set(other.path, member(other, { role: 'owner', rank: 3 }))],
      is: 'bad-rank',
      why: 'never two of one number by one commit',
    },
    {
      by: ann,
      ops: [set(fresh.path, member(fresh, { role: 'owner' }))],
      is: 'bad-rank',
      why: 'an owner without a rank',
    },
    {
      by: ann,
      ops: [set(fresh.path, member(fresh, { role: 'owner', rank: 1 }))],
      is: 'bad-rank',
      why: 'nobody is born senior',
    },
    {
      by: ann,
      ops: [set(fresh.path, member(fresh, { rank: 3 }))],
      is: 'bad-rank',
      why: 'a rank without being an owner',
    },
    {
      by: ann,
      ops: [set(fresh.path, member(fresh, { writer: true }))],
      is: 'bad-rank',
      why: 'founders are made by the first commit only',
    },
    {
      by: ann,
      ops: [set(fresh.path, member(fresh, { role: 'king' }))],
      is: 'bad-device',
      why: 'no such role',
    },
    {
      by: ann,
      ops: [set(`${tab.path}/grants`, [{ prefix: 'names', may: ['write'] }])],
      is: undefined,
      why: 'an owner grants',
    },
    {
      by: ann,
      ops: [set(`${tab.path}/grants`, [{ prefix: '', may: ['write'] }])],
      is: 'bad-device',
      why: 'a grant on everything is spelled as none',
    },
    {
      by: ann,
      ops: [set(`${tab.path}/grants`, [{ prefix: 'names', may: ['rule'] }])],
      is: 'bad-device',
      why: 'no such right',
    },
    {
      by: ann,
      ops: [{ op: 'add', path: `${tab.path}/grants`, value: {} }],
      is: 'wrong-op',
      why: 'rights are replaced, never merged',
    },
    {
      by: porter,
      ops: [set(fresh.path, newOwner)],
      is: 'no-right',
      why: 'a delegate makes no owner',
    },
    {
      by: porter,
      ops: [set(fresh.path, member(fresh, PORTER as JsonObject))],
      is: 'no-right',
      why: 'nor another delegate',
    },
    {
      by: porter,
      ops: [set(`${tab.path}/role`, 'guest')],
      is: 'no-right',
      why: 'nor changes who is in',
    },
    {
      by: tab,
      ops: [set(`${tab.path}/role`, 'owner')],
      is: 'no-right',
      why: 'nobody raises itself',
    },
    { by: tab, ops: [set(`${tab.path}/grants`, [])], is: 'no-right', why: 'or grants itself' },
    { by: tab, ops: [set(tab.path, member(tab))], is: 'no-right', why: 'or says again what it is' },
    { by: tab, ops: [del(tab.path)], is: 'no-right', why: 'a device does not remove itself' },
    { by: ann, ops: [set(`${ann.path}/role`, 'owner')], is: 'no-right', why: 'not even an owner' },
    { by: ann, ops: [del(ann.path)], is: undefined, why: 'but it may leave' },
    { by: ann, ops: [set(`${ben.path}/role`, 'guest')], is: undefined, why: 'a senior demotes' },
    { by: ben, ops: [set(`${ann.path}/role`, 'guest')], is: 'outranked', why: 'a junior does not' },
    { by: ben, ops: [del(ann.path)], is: 'outranked', why: 'or removes' },
    { by: ben, ops: [del(`${ann.path}/signingKey`)], is: 'outranked', why: 'or takes the key' },
    { by: ben, ops: [set(`${ann.path}/name`, 'y')], is: undefined, why: 'a name is no right' },
    {
      by: recovery,
      ops: [del(ann.path), del(ben.path)],
      is: undefined,
      why: 'the phrase outranks all',
    },
    {
      by: ann,
      ops: [set(`${ben.path}/rank`, 7)],
      is: 'bad-rank',
      why: 'a rank stays as it was',
    },
    {
      by: ann,
      ops: [set(`${tab.path}/role`, 'owner'), set(`${tab.path}/rank`, 3)],
      is: undefined,
      why: 'a device becomes an owner',
    },
    {
      by: ann,
      ops: [set(recovery.path, member(recovery))],
      is: 'bad-device',
      why: 'the recovery key is no device',
    },
  ])('$by.id $why', check);

  test('a device that was revoked does not come back under its old key', () => {
    const author = { device: ann.id, publicKey: ann.publicKey, seq: 9 };
    const ops = [set(fresh.path, member(fresh))];
    expect(authorize(crypto, PAST, new Map([[fresh.id, 3]]), author, ops)?.reason).toBe('revoked');
  });
});

describe('revocations', () => {
  test.each<Row>([
    { by: ann, ops: [revoke(tab, 0)], is: undefined, why: 'an owner ends a device' },
    { by: ann, ops: [revoke(ben, 3)], is: undefined, why: 'and a junior owner' },
    { by: ben, ops: [revoke(ann, 3)], is: 'outranked', why: 'never a senior' },
    { by: ben, ops: [revoke(recovery, 3)], is: 'outranked', why: 'nor the phrase' },
    { by: recovery, ops: [revoke(ann, 0)], is: undefined, why: 'the phrase ends any' },
    { by: tab, ops: [revoke(guest, 0)], is: 'no-right', why: 'a device ends none' },
    { by: tab, ops: [revoke(tab, 99)], is: 'no-right', why: 'not even itself' },
    { by: porter, ops: [revoke(tab, 0)], is: undefined, why: 'who was granted it' },
    { by: porter, ops: [revoke(ben, 0)], is: 'outranked', why: 'but no owner' },
    { by: porter, ops: [revoke(porter2, 0)], is: 'outranked', why: 'and no equal' },
    { by: porter2, ops: [revoke(porter, 0)], is: 'outranked', why: 'whatever the ids' },
    { by: ann, ops: [revoke(ann, 9)], is: undefined, why: 'an owner leaves' },
    { by: ann, ops: [revoke(ann, 8)], is: 'no-right', why: 'but takes nothing back' },
    { by: recovery, ops: [revoke(recovery, 9)], is: 'no-right', why: 'the phrase stays' },
    { by: ann, ops: [revoke(fresh, 0)], is: undefined, why: 'a device that never came in' },
    { by: ann, ops: [revoke(tab, -1)], is: 'wrong-op', why: 'no number' },
    { by: ann, ops: [revoke(tab, 1.5)], is: 'wrong-op', why: 'no number either' },
    {
      by: ann,
      ops: [{ op: 'revoke', path: 'names/a', lastSeq: 1 }],
      is: 'wrong-op',
      why: 'names are not revoked',
    },
    {
      past: OLD,
      by: ROUTER,
      ops: [revoke(ROUTER, 9)],
      is: 'no-owner-left',
      why: 'the last owner of a realm without a phrase stays',
    },
    { past: OLD, by: ROUTER, ops: [del('devices/router')], is: 'no-owner-left', why: 'also so' },
  ])('$why', check);
});

describe('the first commit', () => {
  const phrase = set('realm/recovery', { id: recovery.id, signingKey: recovery.signingKey });
  const settings = set('realm/settings', { user: 'ann' });
  const first = set(ann.path, member(ann, { role: 'owner', rank: 1 }));
  const founder = set('devices/router', { ...member(ann), writer: true });
  const at = { past: new Map(), seq: 1 };
  test.each<Row>([
    { ...at, by: recovery, ops: [settings, phrase, first], is: undefined, why: 'by the phrase' },
    { ...at, by: recovery, ops: [settings, first], is: 'bad-genesis', why: 'that names no phrase' },
    {
      ...at,
      by: ann,
      ops: [settings, phrase, first],
      is: 'bad-genesis',
      why: "by another's phrase",
    },
    {
      ...at,
      by: { ...recovery, id: 'phrase' },
      ops: [settings, set('realm/recovery', { id: 'phrase', signingKey: recovery.signingKey })],
      is: 'bad-genesis',
      why: 'the id is not of the key',
    },
    {
      ...at,
      by: recovery,
      ops: [settings, phrase, set(recovery.path, member(recovery))],
      is: 'no-right',
      why: 'the phrase is no device',
    },
    {
      ...at,
      by: recovery,
      ops: [phrase, set(ann.path, member(ann, { role: 'owner', rank: 2 }))],
      is: 'bad-rank',
      why: 'the first owner is number one',
    },
    { ...at, by: ROUTER, ops: [settings, founder], is: undefined, why: 'by a founder, as of old' },
    {
      ...at,
      by: ROUTER,
      ops: [settings, founder, set(ben.path, member(ben, { role: 'owner', rank: 2 }))],
      is: undefined,
      why: 'with a second owner',
    },
    {
      ...at,
      by: ROUTER,
      ops: [settings, set(ben.path, member(ben, { role: 'owner', rank: 1 })), founder],
      is: 'bad-rank',
      why: 'who is not the founder’s equal',
    },
    {
      ...at,
      by: { ...ROUTER, publicKey: ben.publicKey },
      ops: [settings, founder],
      is: 'bad-genesis',
      why: 'signed with another key',
    },
    {
      ...at,
      seq: 2,
      by: ROUTER,
      ops: [settings, founder],
      is: 'bad-genesis',
      why: 'not a first one',
    },
    { ...at, by: ann, ops: [settings], is: 'bad-genesis', why: 'that names nobody' },
  ])('$why', check);
});

describe('the recovery key', () => {
  const name = ({ id, signingKey }: Someone) => set('realm/recovery', { id, signingKey });
  const grown = stateOf({
    'realm/settings': {},
    'devices/router': { signingKey: ann.signingKey, writer: true },
    [ben.path]: member(ben, { role: 'owner', rank: 2 }),
  });
  test.each<Row>([
    { past: OLD, by: ROUTER, ops: [name(other)], is: undefined, why: 'an old realm gets one' },
    { past: grown, by: ben, ops: [name(other)], is: 'outranked', why: 'by its most senior owner' },
    { past: OLD, by: tab, ops: [name(other)], is: 'no-right', why: 'never by a device' },
    {
      past: OLD,
      by: ROUTER,
      ops: [set('realm/recovery', { id: fresh.id, signingKey: other.signingKey })],
      is: 'bad-device',
      why: 'whose id is its own',
    },
    { past: OLD, by: ROUTER, ops: [name(tab)], is: 'bad-device', why: 'and no device’s' },
    { by: ann, ops: [name(other)], is: 'outranked', why: 'no owner replaces it' },
    { by: ann, ops: [del('realm/recovery')], is: 'wrong-op', why: 'or removes it' },
    { by: recovery, ops: [del('realm/recovery')], is: 'wrong-op', why: 'nor does itself' },
    {
      by: ann,
      ops: [set('realm/recovery/signingKey', ann.signingKey)],
      is: 'wrong-op',
      why: 'or changes half of it',
    },
    { by: recovery, ops: [name(other)], is: 'wrong-op', why: 'two keys would be one too many' },
    {
      by: recovery,
      ops: [name(other), revoke(recovery, 9)],
      is: undefined,
      why: 'it hands over and ends',
    },
  ])('$why', check);
});

describe('two owners', () => {
  const rule = (twoOwners: Json) => set('realm/settings/twoOwners', twoOwners);
  const ops = [set('firewall/wan', { open: true })];
  const key = `${ann.id}.open`;
  const guarded = (more: Record<string, JsonObject> = {}) =>
    stateOf({ ...RECORDS, 'realm/settings': { twoOwners: ['firewall', 'names/a/ttl'] }, ...more });
  const past = guarded();
  const asked = guarded({ [`proposals/${key}`]: { ops: ops as Json } });
  const own = guarded({ [`proposals/${ben.id}.open`]: { ops: ops as Json } });
  const byTab = guarded({ [`proposals/${tab.id}.open`]: { ops: ops as Json } });
  const approval = [del(`proposals/${key}`), ...ops];
  test.each<Row>([
    { by: ann, ops: [rule(['firewall'])], is: undefined, why: 'the first rule needs nobody' },
    { past: OLD, by: ROUTER, ops: [rule(['x'])], is: 'needs-second-owner', why: 'but two owners' },
    { past: OLD, by: ROUTER, ops: [rule([])], is: undefined, why: 'no rule is no rule' },
    { by: ann, ops: [rule('firewall')], is: 'wrong-op', why: 'a list' },
    { by: ann, ops: [rule(['fire wall'])], is: 'wrong-op', why: 'of beginnings of paths' },
    {
      by: ann,
      ops: [set('realm/settings', { twoOwners: [1] })],
      is: 'wrong-op',
      why: 'in the whole record too',
    },
    { past, by: ann, ops, is: 'needs-second-owner', why: 'one owner alone' },
    { past, by: recovery, ops, is: undefined, why: 'the phrase needs nobody' },
    { past, by: ann, ops: [set('firewall2/wan', {})], is: undefined, why: 'begins alike only' },
    { past, by: ann, ops: [del('names/a')], is: 'needs-second-owner', why: 'the record holds it' },
    { past, by: ann, ops: [set('names/a/note', '')], is: undefined, why: 'a field beside it' },
    { past, by: ann, ops: [rule([])], is: 'needs-second-owner', why: 'the rule guards itself' },
    {
      past,
      by: ann,
      ops: [set('realm/settings', { user: 'ann' })],
      is: 'needs-second-owner',
      why: 'also inside its record',
    },
    { past, by: ann, ops: [del('realm/settings')], is: 'needs-second-owner', why: 'or with it' },
    {
      past,
      by: ann,
      ops: [set(fresh.path, newOwner)],
      is: 'needs-second-owner',
      why: 'else a thief brings the second owner along',
    },
    {
      past,
      by: ann,
      ops: [set(fresh.path, member(fresh))],
      is: undefined,
      why: 'a device is none',
    },
    { past, by: ann, ops: [revoke(ben, 1)], is: undefined, why: 'shutting out waits for nobody' },
    { past, by: ann, ops: proposeOps(ann.id, 'open', ops), is: undefined, why: 'one proposes' },
    { past, by: ben, ops: proposeOps(ann.id, 'open', ops), is: 'bad-proposal', why: 'for itself' },
    {
      past,
      by: tab,
      ops: proposeOps(tab.id, 'open', ops),
      is: 'bad-proposal',
      why: 'and is an owner',
    },
    { past, by: ann, ops: proposeOps(ann.id, 'x', []), is: 'bad-proposal', why: 'something' },
    {
      past,
      by: ann,
      ops: [set(`proposals/${key}`, { ops: [{ op: 'burn', path: 'a/b' }] })],
      is: 'bad-proposal',
      why: 'that can be done',
    },
    {
      past,
      by: ann,
      ops: proposeOps(ann.id, 'x', [set('wifi/home/psk', 'clear')]),
      is: 'bad-proposal',
      why: 'without a secret in the clear (I2)',
    },
    {
      past: asked,
      by: ann,
      ops: proposeOps(ann.id, 'open', [set('firewall/wan', {})]),
      is: 'bad-proposal',
      why: 'and does not change what others read',
    },
    {
      past: asked,
      by: ann,
      ops: [set(`proposals/${key}/ops`, [])],
      is: 'bad-proposal',
      why: 'not by field either',
    },
    { past: asked, by: ben, ops: approval, is: undefined, why: 'another one agrees' },
    { past: asked, by: ann, ops: approval, is: 'needs-second-owner', why: 'nobody to itself' },
    { past, by: ben, ops: approval, is: 'needs-second-owner', why: 'to nothing' },
    { past: asked, by: tab, ops: approval, is: 'bad-proposal', why: 'a device to nobody' },
    { past: asked, by: ben, ops, is: 'needs-second-owner', why: 'without using the proposal up' },
    {
      past: asked,
      by: ben,
      ops: [...approval, set('firewall/lan', {})],
      is: 'needs-second-owner',
      why: 'to more than was proposed',
    },
    {
      past: asked,
      by: ben,
      ops: [approval[0] as Op, set('firewall/wan', { open: false })],
      is: 'needs-second-owner',
      why: 'to something else',
    },
    {
      past: own,
      by: ann,
      ops: [del(`proposals/${ben.id}.open`)],
      is: undefined,
      why: 'or declines',
    },
    {
      past: byTab,
      by: ben,
      ops: [del(`proposals/${tab.id}.open`), ...ops],
      is: 'needs-second-owner',
      why: 'whoever proposed is no owner any more',
    },
  ])('$why', check);

  test('what approves a proposal is made from it', () => {
    expect(approveOps(asked, key)).toEqual(approval);
    expect(approveOps(past, key)).toBeUndefined();
    expect(dangerousPaths(past)).toEqual(['firewall', 'names/a/ttl']);
    expect(dangerousPaths(PAST)).toEqual([]);
  });
});

describe('facts for the judgement', () => {
  test.each([
    { past: PAST, by: recovery, rank: 0, why: 'the phrase' },
    { past: PAST, by: ann, rank: 1, why: 'the first owner' },
    { past: PAST, by: ben, rank: 2, why: 'the second' },
    { past: OLD, by: ROUTER, rank: 1, why: 'an old founder' },
  ])('rank $rank: $why', ({ past, by, rank }) => {
    expect(rankOf(past, by.id)).toBe(rank);
    expect(factsOf(past, by.id, []).rank).toBe(rank);
  });

  test('delegates come after all owners, everybody else after them', () => {
    const ranks = [ben, porter, tab, fresh].map(({ id }) => rankOf(PAST, id));
    expect(ranks[1]).toBeGreaterThan(ranks[0] as number);
    expect(ranks[2]).toBeGreaterThan(ranks[1] as number);
    expect(ranks[3]).toBe(ranks[2]);
  });

  test('an owner that concurrent writes left without a rank is none', () => {
    const past = stateOf({ ...RECORDS, [fresh.path]: member(fresh, { role: 'owner' }) });
    expect(rankOf(past, fresh.id)).toBe(rankOf(PAST, tab.id));
    check({ past, by: fresh, ops: [set('names/a', {})], is: 'no-right', why: '' });
  });

  test('who comes, who goes, and who only changes a name', () => {
    const ops = [set(fresh.path, newOwner), revoke(tab, 4), set(`${ben.path}/name`, 'y')];
    expect(factsOf(PAST, ann.id, ops)).toEqual({
      rank: 1,
      revokes: [{ device: tab.id, lastSeq: 4 }],
      admits: [{ device: fresh.id, rank: 3 }],
    });
    const phrase = set('realm/recovery', { id: recovery.id, signingKey: recovery.signingKey });
    expect(factsOf(new Map(), recovery.id, [phrase]).rank).toBe(0);
    expect(factsOf(new Map(), ann.id, []).rank).toBe(1);
  });

  test.each([
    { by: guest, verb: 'write', path: 'names/guest/x', is: true },
    { by: guest, verb: 'confirm', path: 'names/guest', is: false },
    { by: ann, verb: 'confirm', path: 'apply/router', is: true },
    { by: hub, verb: 'write', path: 'names', is: false },
    { by: fresh, verb: 'write', path: 'names', is: false },
  ] as const)('$verb at $path is held: $is', ({ by, verb, path, is }) => {
    expect(holds(PAST, by.id, verb, path)).toBe(is);
  });
});

test('a refusal is a sentence with its place', () => {
  expect(explainRefusal({ reason: 'no-right', path: 'names/a' })).toMatch(/^names\/a: the author/);
  expect(explainRefusal({ reason: 'wrong-key' })).toMatch(/not signed/);
});

const everybody = [recovery, ann, ben, tab, guest, hub, porter, fresh, other, porter2];
const paths = everybody
  .flatMap(({ id, path }) => [path, `${path}/role`, `${path}/rank`, `${path}/name`, `status/${id}`])
  .concat('realm/recovery', 'realm/settings', 'names/a', `proposals/${tab.id}.a`, 'devices/plain');
const values: Json[] = [
  ...everybody.map((who) => member(who, { role: 'owner', rank: 3 })),
  ...everybody.map((who) => member(who)),
  'owner',
  'guest',
  3,
  {},
  null,
];
const anyOp = fc.oneof(
  fc.record({
    op: fc.constant('set' as const),
    path: fc.constantFrom(...paths),
    value: fc.constantFrom(...values),
  }),
  fc.record({ op: fc.constant('del' as const), path: fc.constantFrom(...paths) }),
  fc.record({
    op: fc.constant('revoke' as const),
    path: fc.constantFrom(...everybody.map(({ path }) => path)),
    lastSeq: fc.nat(12),
  }),
);

test('no ops of somebody below change what somebody above may do', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(ben, tab, guest, hub, porter),
      fc.array(anyOp, { minLength: 1, maxLength: 4 }),
      (by, ops) => {
        if (ask({ by, ops, is: undefined, why: '' }) !== undefined) return;
        const { revokes, admits } = factsOf(PAST, by.id, ops);
        const rank = rankOf(PAST, by.id);
        for (const { device } of revokes) {
          if (device !== by.id) expect(rankOf(PAST, device)).toBeGreaterThan(rank);
        }
        for (const admission of admits) expect(admission.rank).toBeGreaterThan(rank);
        // Facts of its own are all that somebody without grants writes among the devices.
        const touched = ops.filter(({ path }) => path.startsWith('devices/'));
        if (by === tab || by === guest || by === hub) {
          for (const { path } of touched) expect(path).toBe(`${by.path}/name`);
        }
      },
    ),
    { numRuns: 5000 },
  );
});
