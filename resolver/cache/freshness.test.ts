import { describe, expect, test } from 'vitest';
import { type ManualClock, manualClock } from '#runtime/fake';
import type { Name } from '../message/name.ts';
import type { RRset } from '../message/rrset.ts';
import { TYPE } from '../message/type.ts';
import { fullBudget } from '../recursion/budget.ts';
import type { Outcome } from '../recursion/frame.ts';
import type { Judgement } from '../recursion/judgement.ts';
import { nameOf, recordOf } from '../recursion/reply.fixture.ts';
import { findRoute, type Route } from '../recursion/route.ts';
import type { Judged } from '../recursion/validation.ts';
import { createCache } from './cache.ts';
import { MAX_FAILED, serveStale } from './freshness.ts';
import { TRUST } from './worth.ts';

const WWW = nameOf('www.example.');
const SECURE: Judgement = { state: 'secure', isDenial: false, isTimed: true };
const BOGUS: Judgement = { state: 'bogus', reason: 'signature-invalid' };
const rrset: RRset = {
  owner: WWW,
  type: TYPE.A,
  ttl: 60,
  rdatas: [new Uint8Array([192, 0, 2, 1])],
  signatures: [],
};
const failure: Outcome = { kind: 'failure', reason: 'no-reachable-authority' };
const newer: Outcome = { kind: 'answer', rrset, proof: [] };

const CONTACT: Route = { zone: nameOf('example.'), kind: 'stub', servers: [] };

type Search = (clock: ManualClock) => Promise<{ outcome: Outcome; judgement?: Judgement }>;

/** A resolver whose cache has `old` as of a minute ago, and whose searches go as told. */
function stand(
  old: Judgement | undefined,
  search: Search,
  { isValidating = true, routes = [] }: { isValidating?: boolean; routes?: readonly Route[] } = {},
) {
  const clock = manualClock();
  const cache = createCache(undefined, 1000);
  const then = clock.monotonic() / 1000 - 61;
  const known = { kind: 'records', rrset, proof: [] } as const;
  if (old === undefined) cache.putRecords(rrset, TRUST.authoritative, then);
  else cache.putJudged(WWW, TYPE.A, { ...known, judgement: old }, 60, then);
  let searches = 0;
  const validation = {
    async resolve(): Promise<Judged> {
      searches++;
      return { ...(await search(clock)), budget: fullBudget(0), from: 'recursion' };
    },
  };
  const logged: string[] = [];
  const log = (_: string, event: string) => logged.push(event);
  const routeOf = (name: Name, type: number) => findRoute(routes, name, type);
  const { resolve } = serveStale({ clock, log, cache, validation, isValidating, routeOf });
  const askFor = (name: Name) => resolve(name, TYPE.A, fullBudget(clock.monotonic() / 1000), false);
  const ask = () => askFor(WWW);
  return { clock, cache, then, ask, askFor, logged, searches: () => searches };
}

const never: Search = () => new Promise(() => undefined);

describe('when the old answer is given', () => {
  test.each<{
    old?: Judgement;
    isValidating?: boolean;
    search: Search;
    isStale: boolean;
    why: string;
  }>([
    { old: SECURE, search: async () => ({ outcome: failure }), isStale: true, why: 'no server' },
    { old: SECURE, search: async () => ({ outcome: newer }), isStale: false, why: 'a newer one' },
    {
      old: SECURE,
      search: async () => ({ outcome: newer, judgement: BOGUS }),
      isStale: false,
      why: 'never in place of what is bogus',
    },
    {
      old: BOGUS,
      search: async () => ({ outcome: failure }),
      isStale: false,
      why: 'never what was bogus',
    },
    {
      old: { ...SECURE, isTimed: false },
      search: async () => ({ outcome: failure }),
      isStale: false,
      why: 'nor what was checked without a date, once there is one (I9)',
    },
    {
      search: async () => ({ outcome: failure }),
      isStale: false,
      why: 'nor what was never checked, where checking is the rule',
    },
    {
      isValidating: false,
      search: async () => ({ outcome: failure }),
      isStale: true,
      why: 'unchecked, where nothing is checked',
    },
    {
      old: SECURE,
      search: async () => ({ outcome: { kind: 'failure', reason: 'alias-loop' } }),
      isStale: false,
      why: 'a loop is what the zone says',
    },
  ])('$why', async ({ old, isValidating, search, isStale }) => {
    const { ask } = stand(old, search, isValidating === undefined ? {} : { isValidating });
    expect((await ask()).isStale === true).toBe(isStale);
  });
});

test.each([
  { routes: [], kind: 'no-name', why: 'of a name in the tree' },
  { routes: [CONTACT], kind: 'failure', why: 'of a zone that is reached by hand, not the root’s' },
])('a denial that ended is given $why', async ({ routes, kind }) => {
  const { cache, then, ask } = stand(BOGUS, async () => ({ outcome: failure }), { routes });
  const soa = recordOf('. 60 SOA ns. host. 1 2 3 4 60');
  const known = { kind: 'no-name', denial: { soa, proof: [] }, judgement: SECURE } as const;
  cache.putJudged(nameOf('example.'), TYPE.A, known, 60, then);
  expect((await ask()).outcome.kind).toBe(kind);
});

test('after 1.8 s, and then at once while the search goes on', async () => {
  const { clock, ask, searches } = stand(SECURE, never);
  let answered: Judged | undefined;
  const asked = ask().then((judged) => {
    answered = judged;
  });
  await clock.advance(1799);
  expect(answered).toBeUndefined();
  await clock.advance(1);
  await asked;
  expect(answered?.isStale).toBe(true);
  expect((await ask()).isStale).toBe(true);
  expect(searches()).toBe(1);
});

test.each([
  { takes: 0, why: 'that failed at once' },
  { takes: 4000, why: 'that failed behind the answer' },
])('servers $why are asked again after 30 s, and not before (RFC 8767 §5)', async ({ takes }) => {
  const { clock, ask, searches } = stand(SECURE, async ({ sleep }) => {
    await sleep(takes);
    return { outcome: failure };
  });
  const asked = async () => {
    const judged = ask();
    await clock.advance(1800);
    return [(await judged).isStale, searches()];
  };
  expect(await asked()).toEqual([true, 1]);
  await clock.advance(takes);
  for (let pause = 0; pause < 20; pause += 5) {
    await clock.advance(4000);
    expect(await asked()).toEqual([true, 1]);
  }
  await clock.advance(30_000);
  expect(await asked()).toEqual([true, 2]);
});

test('what is remembered of servers that failed is bounded', async () => {
  const { clock, cache, then, askFor, searches } = stand(SECURE, async () => ({
    outcome: failure,
  }));
  const known = { kind: 'records', proof: [], judgement: SECURE } as const;
  for (let index = 0; index <= MAX_FAILED; index++) {
    const owner = nameOf(`n${index}.example.`);
    cache.putJudged(owner, TYPE.A, { ...known, rrset: { ...rrset, owner } }, 60, then);
    expect((await askFor(owner)).isStale).toBe(true);
  }
  await clock.advance(1000);
  await askFor(nameOf('n1.example.'));
  expect(searches()).toBe(MAX_FAILED + 1);
  await askFor(nameOf('n0.example.'));
  expect(searches()).toBe(MAX_FAILED + 2);
});

test('a search that breaks behind an answer is reported, and the next question searches anew', async () => {
  const breaking: Search = async (clock) => {
    await clock.sleep(5000);
    throw new Error('a mistake of ours');
  };
  const { clock, ask, logged, searches } = stand(SECURE, breaking);
  const asked = ask();
  await clock.advance(1800);
  expect((await asked).isStale).toBe(true);
  await clock.advance(4000);
  expect(logged).toEqual(['refresh-failed']);
  void ask();
  await clock.settle();
  expect(searches()).toBe(2);
});
