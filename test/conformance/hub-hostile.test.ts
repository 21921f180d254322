/**
 * A hub with a member that means ill, over a real PostgreSQL: whatever it pushes, under whoever's name
 * and number, all that one of the others gave reaches all of the others (ADR 18).
 */

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fakeRuntime } from '#runtime/fake';
import { openStore } from '#storage';
import {
  admit,
  ask,
  begin,
  chunks,
  envelopesOf,
  garbage,
  heads,
  household,
  last,
  type Member,
  meet,
  openMember,
  push,
  startStand,
  sync,
  write,
} from './hub-members.ts';

const RUNS = Number(process.env['NYMOTE_RUNS'] ?? 12);

let stand: AsyncDisposable;
beforeAll(async () => {
  stand = await startStand();
});
afterAll(() => stand[Symbol.asyncDispose]());

/** What a member means ill with; a says something only afterwards. */
type Attack = (thief: Member, a: Member) => Promise<readonly Uint8Array[]>;

const ATTACKS: readonly (readonly [string, Attack, string])[] = [
  [
    'garbage under the next number',
    async (thief, { keys, store }) => [
      garbage(thief, keys, (store.vector()[keys.id]?.[0]?.[0] ?? 0) + 1),
    ],
    'a unique number would be taken',
  ],
  [
    'garbage under many numbers that come',
    async (thief, a) =>
      Array.from({ length: 50 }, (_, index) => garbage(thief, a.keys, last(a) + 1 + index)),
    'a count of what is here would say that the hub has more than the author',
  ],
  [
    'garbage under a number that never comes',
    async (thief, a) => [garbage(thief, a.keys, 2 ** 40)],
    'numbers need not follow each other',
  ],
  [
    'another realm’s commit',
    async (thief, a) => [garbage(thief, a.keys, last(a) + 1, { realm: 'cd'.repeat(32) })],
    'its envelope opens nowhere here',
  ],
  [
    'garbage twenty times under one number',
    async (thief, a) =>
      Array.from({ length: 20 }, (_, index) =>
        garbage(thief, a.keys, last(a) + 1, { length: 40 + index }),
      ),
    'room for evidence is everybody’s own',
  ],
  [
    'more garbage than a page',
    async (thief) =>
      Array.from({ length: 6 }, (_, index) =>
        garbage(thief, thief.keys, last(thief) + 1 + index, { length: 200_000 }),
      ),
    'what nobody can read hides nothing behind it',
  ],
  [
    'garbage under thousands of names',
    async (thief) =>
      Array.from({ length: 2_000 }, (_, index) =>
        garbage(thief, { ...thief.keys, id: `k${index}`.padEnd(26, 'a') }, 1),
      ),
    'what is here is told in a header, or not at all',
  ],
];

describe('a member that pushes', () => {
  test.each(ATTACKS)('%s keeps no commit from anybody', async (_, attack) => {
    const [a, b, thief] = (await household()) as [Member, Member, Member];
    for (const part of chunks(await attack(thief, a))) await push(thief, ...part);
    await write(a);
    await sync(a);
    await sync(b);
    expect(b.store.head).toBe(a.store.head);
    await write(b, 'y');
    await sync(b);
    await sync(a);
    expect(a.store.head).toBe(b.store.head);
  });

  test('garbage under the name of a commit that it was given before the hub', async () => {
    const [a, b, thief] = (await household()) as [Member, Member, Member];
    const { id } = await write(a);
    await push(thief, garbage(thief, a.keys, last(a), { id }));
    await sync(a);
    await sync(b);
    expect(b.store.head).toBe(a.store.head);
  });

  test('the true commit on top of garbage hides nothing below', async () => {
    const [a, b, thief] = (await household()) as [Member, Member, Member];
    const { id } = await write(a);
    await write(a, 'y');
    const real = (await envelopesOf(a)).at(-1) ?? new Uint8Array(0);
    await push(thief, garbage(thief, a.keys, last(a) - 1, { id }), real);
    await sync(a);
    await sync(b);
    expect(b.store.head).toBe(a.store.head);
  });

  test('garbage under its own number, and the commit to one of the others only', async () => {
    const [a, b, thief] = (await household()) as [Member, Member, Member];
    const { id } = await write(thief);
    await meet(thief, a);
    await push(thief, garbage(thief, thief.keys, last(thief), { id }));
    // Without it nobody could follow what was honestly built on it.
    await write(a, 'y');
    await sync(a);
    await sync(b);
    expect(b.store.head).toBe(a.store.head);
  });

  test('under the number of one that is gone: whoever has its commits gives them', async () => {
    const [a, b, thief, gone] = (await household(4)) as [Member, Member, Member, Member];
    await write(gone);
    await meet(gone, a);
    await push(thief, garbage(thief, gone.keys, last(gone)));
    await sync(a);
    await sync(b);
    expect(b.store.head).toBe(a.store.head);
  });
});

describe('a fork', () => {
  /** A device and its copy, which wrote something else under the same number. */
  async function forked() {
    const [a, b, c] = (await household()) as [Member, Member, Member];
    const writer = { deviceId: c.keys.id, name: 'copy', signer: c.signer };
    const options = { directory: '/data/store', realm: a.store.realm, writer };
    const copy = { ...c, store: await openStore(fakeRuntime(), options) };
    await meet(c, copy);
    await write(c, 'one');
    await write(copy, 'the other');
    return { a, b, c, copy };
  }

  test('reaches everybody through the hub, whoever gives which side first', async () => {
    const { a, b, c, copy } = await forked();
    await sync(c);
    await sync(b);
    await sync(copy);
    for (const member of [b, a, c]) await sync(member);
    expect(heads([a, b, c, copy]).size).toBe(1);
    expect(a.store.problems.concat(b.store.problems)).toEqual([]);
    expect(a.store.vector()[c.keys.id]).toHaveLength(2);
  });

  test('is given by whoever was told of the other side elsewhere', async () => {
    const { a, b, c, copy } = await forked();
    await sync(c);
    await meet(copy, a);
    await sync(a);
    await sync(b);
    expect(b.store.vector()[c.keys.id]).toHaveLength(2);
    expect(heads([a, b]).size).toBe(1);
  });
});

test('what was given once is not given again, nor taken again', async () => {
  const [a, b, thief] = (await household()) as [Member, Member, Member];
  await push(thief, garbage(thief, a.keys, last(a) + 1));
  await write(a);
  await sync(a);
  await sync(b);
  await sync(b);
  expect(await sync(a)).toMatchObject({ pushed: 0, pulled: 0 });
  const none = await ask(b, 'POST', '/push', new Uint8Array(0));
  expect(await none.json()).toMatchObject({ stored: 0 });
});

test('a device that lost its disk gets all of it back, and goes on with its own numbers', async () => {
  const [a, b, thief] = (await household()) as [Member, Member, Member];
  await write(a);
  await sync(a);
  await push(thief, garbage(thief, a.keys, last(a) + 1));
  const writer = { deviceId: a.keys.id, name: 'again', signer: a.signer };
  const options = { directory: '/data/store', realm: a.store.realm, writer };
  const again = { ...a, store: await openStore(fakeRuntime(), options) };
  await sync(again);
  expect(again.store.head).toBe(a.store.head);
  await write(again, 'y');
  await sync(again);
  await sync(b);
  expect(b.store.head).toBe(again.store.head);
  expect(b.store.vector()[a.keys.id]).toHaveLength(1);
});

test('a member that was dismissed claims nothing any more; what it claimed keeps nobody out', async () => {
  const [a, b, thief] = (await household()) as [Member, Member, Member];
  await push(thief, garbage(thief, a.keys, last(a) + 1));
  expect((await ask(a, 'DELETE', `/members/${thief.keys.id}`, new Uint8Array(0))).status).toBe(200);
  const body = garbage(thief, a.keys, last(a) + 2);
  expect((await ask(thief, 'POST', '/push', body)).status).toBe(403);
  await write(a);
  await sync(a);
  await sync(b);
  expect(b.store.head).toBe(a.store.head);
});

test('a request looks at so many rows and no more, and the next one goes on behind them', async () => {
  const [a, b, thief] = (await household()) as [Member, Member, Member];
  const numbers = Array.from({ length: 4_500 }, (_, index) => last(thief) + 1 + index);
  const many = numbers.map((seq) => garbage(thief, thief.keys, seq, { length: 1 }));
  for (const part of chunks(many)) await push(thief, ...part);
  await write(a);
  await sync(a);
  // As one who has all of it.
  const known = { ...a.store.vector(), [thief.keys.id]: [[2 ** 40, '']] };
  const body = new TextEncoder().encode(JSON.stringify(known));
  const pages: [size: number, isMore: boolean][] = [];
  for (let after = 0, isMore = true; isMore && pages.length < 9; ) {
    const response = await ask(b, 'POST', `/pull?after=${after}`, body);
    const seen = Number(response.headers.get('nymote-seen'));
    expect(seen).toBeGreaterThan(after);
    after = seen;
    isMore = response.headers.get('nymote-more') === 'yes';
    pages.push([(await response.arrayBuffer()).byteLength, isMore]);
  }
  expect(pages).toEqual([
    [0, true],
    [0, false],
  ]);
  await sync(b);
  expect(b.store.head).toBe(a.store.head);
});

test('whoever dropped what came before fills a hub that has nothing', async () => {
  const a = await openMember();
  for (const value of ['x', 'y', 'z']) await write(a, value);
  expect(await a.store.prune('test', { days: 0, commits: 1 })).toMatchObject({ waitingFor: [] });
  await begin(a);
  await sync(a);
  await write(a);
  await sync(a);
  const late = await openMember(a.store.realm);
  await admit(a, late);
  await sync(late);
  expect(late.store.head).toBe(a.store.head);
});

type Step = readonly [act: string, who: number, other: number, number: number];

async function happen(members: readonly Member[], [act, who, other, number]: Step): Promise<void> {
  const thief = members[3] as Member;
  const one = members[who] as Member;
  const two = members[other] as Member;
  if (act === 'write') return void (await write(number === 4 ? thief : one, `${number}`));
  if (act === 'sync') return void (await sync(one));
  if (act === 'meet') return meet(two, one);
  if (act === 'copy') return meet(one, thief);
  const [tip] = two.store.vector()[two.keys.id] ?? [];
  const seq = Math.max(1, last(two) + number - 2);
  const id = tip?.[0] === seq ? tip[1] : undefined;
  const claimed = garbage(thief, two.keys, seq, id === undefined ? {} : { id });
  const real = act === 'replay' ? (await envelopesOf(thief)).slice(-1 - number) : [];
  await push(thief, ...(act === 'replay' ? real : [claimed]));
}

test('whatever is pushed in whichever order, the honest ones end as one', {
  timeout: 300_000 + RUNS * 5_000,
}, async () => {
  const step = fc.tuple(
    fc.constantFrom('write', 'write', 'sync', 'sync', 'meet', 'garbage', 'copy', 'replay'),
    fc.nat(2),
    fc.nat(3),
    fc.nat(4),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 8, maxLength: 24 }), async (steps) => {
      const members = await household(4);
      for (const each of steps) await happen(members, each);
      const honest = members.slice(0, 3);
      for (const member of [...honest, ...honest]) await sync(member);
      expect(heads(honest).size).toBe(1);
    }),
    { numRuns: RUNS },
  );
});
