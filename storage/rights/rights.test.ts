import { describe, expect, test } from 'vitest';
import {
  ann,
  ben,
  check,
  crypto,
  del,
  fresh,
  guest,
  hub,
  member,
  OLD,
  other,
  PAST,
  porter,
  RECORDS,
  ROUTER,
  type Row,
  recovery,
  revoke,
  type Someone,
  set,
  stateOf,
  tab,
} from '../members.fixture.ts';
import { authorize, explainRefusal } from './rights.ts';

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
    {
      by: ann,
      ops: [set('realm/base-1', {})],
      is: undefined,
      why: 'nobody is above the first owner',
    },
    { by: recovery, ops: [del('realm/base-1')], is: undefined, why: 'nor above the phrase' },
    {
      by: ben,
      ops: [set('realm/base-1', {})],
      is: 'outranked',
      why: 'where history begins: others could have their own removal refused',
    },
    {
      by: ben,
      ops: [del('realm/base-1')],
      is: 'outranked',
      why: 'nor does it begin earlier again',
    },
    {
      by: ann,
      ops: [set('realm/base-1/vector', {})],
      is: 'wrong-op',
      why: 'where history begins is said in one piece',
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

  const may = [{ prefix: 'confirmations', may: ['confirm'] }];
  const past = stateOf({ ...RECORDS, [tab.path]: member(tab, { grants: may }) });
  test.each<Row>([
    { past, by: tab, ops: [set('confirmations/f00', {})], is: undefined, why: 'who may confirm' },
    { past, by: tab, ops: [del('confirmations/f00')], is: undefined, why: 'and tidy up' },
    { past, by: tab, ops: [set('options/a', {})], is: 'no-right', why: 'but change nothing' },
    { by: tab, ops: [set('confirmations/f00', {})], is: 'no-right', why: 'not every device' },
  ])('confirmations: $why', check);
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

test('a refusal is a sentence with its place', () => {
  expect(explainRefusal({ reason: 'no-right', path: 'names/a' })).toMatch(/^names\/a: the author/);
  expect(explainRefusal({ reason: 'wrong-key' })).toMatch(/not signed/);
});
