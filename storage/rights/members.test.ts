import { describe, expect, test } from 'vitest';
import {
  ann,
  ben,
  check,
  fresh,
  guest,
  hub,
  member,
  newOwner,
  OLD,
  PAST,
  porter,
  RECORDS,
  ROUTER,
  recovery,
  revoke,
  set,
  stateOf,
  tab,
} from '../members.fixture.ts';
import { holds, rankOf } from './members.ts';
import { factsOf } from './rights.ts';

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
