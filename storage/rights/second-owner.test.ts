import { describe, expect, test } from 'vitest';
import type { Json, JsonObject } from '../format/json.ts';
import type { Op } from '../format/op.ts';
import {
  ann,
  ben,
  check,
  del,
  fresh,
  member,
  newOwner,
  OLD,
  PAST,
  RECORDS,
  ROUTER,
  type Row,
  recovery,
  revoke,
  set,
  stateOf,
  tab,
} from '../members.fixture.ts';
import { approveOps, dangerousPaths, proposeOps } from './second-owner.ts';

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
    {
      past: guarded({ [`proposals/${key}`]: { ops: [set(fresh.path, newOwner)] as Json } }),
      by: ben,
      ops: [del(`proposals/${key}`), set(fresh.path, newOwner)],
      is: undefined,
      why: 'two make an owner',
    },
    {
      past: asked,
      by: ben,
      ops: [del(`proposals/${key}/ops`)],
      is: 'bad-proposal',
      why: 'nobody takes a part out',
    },
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
