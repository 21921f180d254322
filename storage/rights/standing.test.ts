import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Json, JsonObject } from '../format/json.ts';
import {
  ann,
  ask,
  ben,
  check,
  crypto,
  del,
  fresh,
  guest,
  hub,
  member,
  newOwner,
  OLD,
  other,
  PAST,
  PORTER,
  porter,
  porter2,
  RECORDS,
  ROUTER,
  type Row,
  recovery,
  revoke,
  set,
  stateOf,
  tab,
} from '../members.fixture.ts';
import { rankOf } from './members.ts';
import { authorize, factsOf } from './rights.ts';

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
      ops: [set(fresh.path, { ...newOwner, writer: true })],
      is: 'bad-rank',
      why: 'not even with the right number',
    },
    {
      past: OLD,
      by: ROUTER,
      ops: [set('devices/router', { name: 'new', signingKey: ann.signingKey, writer: true })],
      is: undefined,
      why: 'a founder writes its whole record, as of old',
    },
    {
      past: OLD,
      by: ROUTER,
      ops: [set('devices/router', { ...member(ann), writer: true, role: 'owner', rank: 1 })],
      is: 'no-right',
      why: 'with the same rights',
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
      past: stateOf({ ...RECORDS, 'devices/router': { ...member(other), writer: true } }),
      by: recovery,
      ops: [{ op: 'revoke', path: 'devices/router', lastSeq: 0 }],
      is: 'wrong-op',
      why: 'a founder’s first commit is the realm',
    },
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

test('whatever the ops say, the answer is a value', () => {
  const anything = fc.record({
    op: fc.constant('set' as const),
    path: fc.constantFrom(...paths, `proposals/${ann.id}.a`, 'realm/settings/twoOwners'),
    value: fc.jsonValue({ maxDepth: 3 }).map((value) => value as Json),
  });
  fc.assert(
    fc.property(
      fc.constantFrom(recovery, ann, ben, tab, porter),
      fc.array(fc.oneof(anything, anyOp), { maxLength: 5 }),
      fc.boolean(),
      (by, ops, isGenesis) => {
        const past = isGenesis ? new Map() : PAST;
        ask({ by, ops, past, seq: 1, is: undefined, why: '' });
        factsOf(past, by.id, ops);
      },
    ),
    { numRuns: 1000 },
  );
});
