import { describe, expect, test } from 'vitest';
import { fakeRuntime, manualClock } from '#runtime/fake';
import { BEGINNING, gather } from '../backup/gather.ts';
import { takeBundle } from '../backup/take.ts';
import { scan } from '../format/frame.ts';
import { someone } from '../members.fixture.ts';
import { LAPTOP, openLaptop, pair, send } from '../pair.fixture.ts';
import { DIRECTORY, openFounder, openReplica, setName, signerOf } from '../realm.fixture.ts';
import { openStore, type Store } from '../store.ts';
import { splitBase } from './base-pages.ts';

import { ALL, fill, found, plain } from './prune.fixture.ts';

const DAY = 86_400_000;

describe('a realm of one device', () => {
  test('drops what is older than it keeps, and goes on', async () => {
    const clock = manualClock();
    const runtime = fakeRuntime({ clock });
    const store = await openFounder(runtime);
    await fill(store, 500);
    await clock.advance(200 * DAY);
    await fill(store, 300);
    const before = plain(store);
    const { dropped, waitingFor } = await store.prune('test');
    expect([dropped, waitingFor]).toEqual([401, []]);
    expect(plain(store).filter(([name]) => name !== 'realm')).toEqual(
      before.filter(([name]) => name !== 'realm'),
    );
    const { commits, isPruned, devices } = await store.retention();
    expect([commits, isPruned]).toEqual([401, true]);
    expect(devices).toMatchObject([{ device: 'router', silentDays: 0 }]);
    expect(await store.prune('test')).toMatchObject({ dropped: 0 });
    await fill(store, 3);
    const again = await openFounder(runtime);
    expect([again.head, again.problems, again.seq]).toEqual([store.head, [], store.seq]);
    expect(plain(again)).toEqual(plain(store));
    const [newest] = await again.log({ limit: 1 });
    await again.revert(newest?.id ?? '', 'test');
    const listed = await again.log({ limit: 1000 });
    expect(listed).toHaveLength(405);
    const first = again.revert(listed.at(-1)?.id ?? '', 'test');
    await expect(first).rejects.toMatchObject({ code: 'too-old' });
    expect(await again.stateAt(listed.at(-1)?.id ?? '')).toBeDefined();
  });

  test('drops nothing younger, or without a date', async () => {
    const clock = manualClock({ isSet: false });
    const store = await openFounder(fakeRuntime({ clock }));
    await fill(store, 500);
    await clock.advance(200 * DAY);
    expect(await store.prune('test')).toMatchObject({ dropped: 0, reason: 'young' });
    const young = await openFounder(fakeRuntime());
    await fill(young, 500);
    expect(await young.prune('test')).toMatchObject({ dropped: 0, reason: 'young' });
  });

  test('forgets what was deleted, also on the disk', async () => {
    const runtime = fakeRuntime();
    const store = await openFounder(runtime);
    const set = {
      op: 'set',
      path: 'names/a',
      value: { host: 'hush-hush', aliases: ['hush', 'x'] },
    };
    await store.commit({ ops: [set as never], message: 'Set', via: 'test' });
    const take = { op: 'rem', path: 'names/a/aliases', value: 'hush' } as const;
    await store.commit({ ops: [take], message: 'Take', via: 'test' });
    await store.commit({ ops: [{ op: 'del', path: 'names/a/host' }], message: 'Del', via: 'test' });
    await store.commit(setName('b', 1));
    expect(await found(runtime, 'hush')).toBe(true);
    expect(await store.prune('test', ALL)).toMatchObject({ dropped: 4 });
    await store[Symbol.asyncDispose]();
    expect(await found(runtime, 'hush')).toBe(false);
    const again = await openFounder(runtime);
    expect(again.state().get('names')?.get('a')).toEqual({ aliases: ['x'] });
  });
});

describe('a realm of several', () => {
  test('waits until all have heard of it', async () => {
    const { first, second } = await pair();
    await fill(first, 20);
    expect(await first.prune('test', ALL)).toMatchObject({ dropped: 0, waitingFor: ['Laptop'] });
    await send(first, second);
    await second.commit(setName('own', 1));
    await send(second, first);
    // The laptop knows what there is to drop at; the declaration of that it has yet to hear.
    expect(await first.prune('test', ALL)).toMatchObject({ dropped: 0, waitingFor: ['Laptop'] });
    await send(first, second);
    await second.commit(setName('own', 2));
    await send(second, first);
    expect((await first.prune('test', ALL)).dropped).toBeGreaterThan(20);
    expect((await second.prune('test')).dropped).toBeGreaterThan(20);
    await fill(first, 3);
    await second.commit(setName('own', 3));
    await send(first, second);
    await send(second, first);
    expect(first.head).toBe(second.head);
    expect(plain(first)).toEqual(plain(second));
    expect(second.base()).toEqual(first.base());
  });

  test('believes what was heard of a device, unless that has more than is here', async () => {
    const { first, second } = await pair();
    await fill(first, 5);
    await send(first, second);
    const acknowledged = { [LAPTOP]: { router: first.seq } };
    await first.prune('test', { ...ALL, acknowledged });
    await send(first, second);
    const all = { ...ALL, acknowledged: { [LAPTOP]: { router: first.seq } } };
    const more = { ...ALL, acknowledged: { [LAPTOP]: { router: first.seq, [LAPTOP]: 1 } } };
    expect(await first.prune('test', more)).toMatchObject({ dropped: 0, waitingFor: ['Laptop'] });
    expect((await first.prune('test', all)).dropped).toBeGreaterThan(0);
  });

  test('has heard of one that says what it holds, though it never writes', async () => {
    const clock = manualClock();
    const { first, second } = await pair(clock);
    await clock.advance(200 * DAY);
    await fill(first, 3);
    await send(first, second);
    const silent = async (...asked: Parameters<Store['retention']>) =>
      (await first.retention(...asked)).devices.find(({ device }) => device === LAPTOP)?.silentDays;
    expect(await silent()).toBe(200);
    expect(await silent({ [LAPTOP]: { router: first.seq } })).toBe(0);
  });

  test('goes on without one that was silent for half a year, and it is told', async () => {
    const clock = manualClock();
    const { first, second, away } = await pair(clock);
    await second.commit(setName('late', 1));
    await clock.advance(181 * DAY);
    await fill(first, 20);
    expect((await first.retention()).devices).toMatchObject([{}, { silentDays: 181 }]);
    expect((await first.prune('test', ALL)).dropped).toBeGreaterThan(10);
    const { refused } = await first.importCommits(await second.exportMissing(first.vector()));
    expect([refused.length, first.problems]).toEqual([0, []]);
    const page = await first.exportMissing(second.vector());
    const refusedThere = (await second.importCommits(page)).refused.map(
      ({ reason }) => reason.code,
    );
    expect(refusedThere[0]).toBe('conflict');
    const base = first.base() ?? new Uint8Array(0);
    await expect(second.takeBase(base)).rejects.toMatchObject({ code: 'conflict' });
    expect(away).toBeDefined();
  });

  test('keeps everything where something lies beside what was declared', async () => {
    const clock = manualClock();
    const { first, second, openSecond } = await pair(clock);
    await second.commit(setName('late', 1));
    await clock.advance(181 * DAY);
    await fill(first, 20);
    const old = await first.exportMissing(second.vector());
    await first.prune('test', ALL);
    await second.importCommits(old);
    await second.importCommits(await first.exportMissing(second.vector(), undefined, true));
    expect(second.merged().get('realm')?.size).toBe(first.merged().get('realm')?.size);
    expect(await second.prune('test')).toMatchObject({ dropped: 0 });
    const again = await openSecond();
    expect([again.problems, again.head, again.isWritable]).toEqual([[], second.head, true]);
  });

  test('drops nothing that a removal reaches behind, though it does not count', async () => {
    const { first, second, home } = await pair();
    await letPhoneIn(first, second);
    await second.commit(setName('laptop', 1));
    const remove = (path: string, lastSeq: number) => ({
      ops: [{ op: 'revoke', path, lastSeq } as const],
      message: 'Remove it',
      via: 'test',
    });
    await second.commit(remove(PHONE.path, 0));
    await send(second, first);
    await first.commit(remove(`devices/${LAPTOP}`, 1));
    await fill(first, 2);
    const before = plain(first).filter(([name]) => name !== 'realm');
    for (let times = 0; times < 2; times++) {
      const router = first.vector()['router']?.[0]?.[0] ?? 0;
      const acknowledged = { [PHONE.id]: { router, [PHONE.id]: 1, [LAPTOP]: 2 } };
      await first.prune('test', { days: 0, commits: 4 + times, acknowledged });
    }
    expect(plain(first).filter(([name]) => name !== 'realm')).toEqual(before);
    const again = await openFounder(home);
    expect([again.problems, again.head, again.isWritable]).toEqual([[], first.head, true]);
  });

  test('is not stopped by a removal that reaches behind what was dropped', async () => {
    const clock = manualClock();
    const { first, second } = await pair(clock);
    await letPhoneIn(first, second);
    await clock.advance(181 * DAY);
    await fill(first, 5);
    expect((await first.prune('test', { days: 0, commits: 6 })).dropped).toBe(3);
    const remove = { op: 'revoke', path: PHONE.path, lastSeq: 0 } as const;
    await second.commit({ ops: [remove], message: 'Remove it', via: 'test' });
    const { refused } = await first.importCommits(await second.exportMissing(first.vector()));
    expect(refused.map(({ reason }) => reason.code)).toEqual(['too-old']);
    expect(first.isDiverged).toBe(false);
  });

  test('lets a new device, or one with nothing of its own, begin with the base', async () => {
    const clock = manualClock();
    const { first, second, away } = await pair(clock);
    await clock.advance(181 * DAY);
    await fill(first, 20);
    await first.prune('test', ALL);
    await fill(first, 5);
    await send(first, second);
    expect([second.head, plain(second)]).toEqual([first.head, plain(first)]);
    const reopened = await openLaptop(away, { realm: first.realm });
    expect([reopened.head, reopened.problems]).toEqual([first.head, []]);
    const fresh = await openReplica(fakeRuntime(), { realm: first.realm });
    await send(first, fresh);
    expect([fresh.head, plain(fresh)]).toEqual([first.head, plain(first)]);
    await reopened.commit(setName('back', 1));
    await send(reopened, first);
    expect(first.state().get('names')?.get('back')).toEqual({ value: 1 });
  });

  test('refuses to revoke into what is not known any more', async () => {
    const clock = manualClock();
    const { first } = await pair(clock);
    await fill(first, 3);
    await clock.advance(181 * DAY);
    await first.prune('test', ALL);
    const revoke = (lastSeq: number) =>
      first.commit({
        ops: [{ op: 'revoke', path: `devices/${LAPTOP}`, lastSeq }],
        message: 'Out',
        via: 'test',
      });
    expect((await revoke(0)).ops).toHaveLength(1);
  });
});

const PHONE = someone(3);

/** A third owner, who has written once. */
async function letPhoneIn(first: Store, second: Store): Promise<void> {
  const runtime = fakeRuntime();
  const value = { role: 'owner', rank: 3, signingKey: PHONE.signingKey };
  const admit = { op: 'set', path: PHONE.path, value } as const;
  await first.commit({ ops: [admit], message: 'Let it in', via: 'test' });
  const third = await openStore(runtime, {
    directory: DIRECTORY,
    realm: first.realm,
    writer: { deviceId: PHONE.id, name: 'Phone', signer: signerOf(runtime.crypto, 3) },
  });
  await send(first, third);
  await third.commit(setName('phone', 1));
  await send(third, first);
  await send(first, second);
}

describe('a base', () => {
  test('with a wrong byte anywhere is not taken over', async () => {
    const store = await openFounder(fakeRuntime());
    await fill(store, 3);
    await store.prune('test', ALL);
    const base = store.base() ?? new Uint8Array(0);
    for (let at = 0; at < base.length; at += 37) {
      const bytes = base.slice();
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      const fresh = await openReplica(fakeRuntime(), { realm: store.realm });
      await expect(fresh.takeBase(bytes)).rejects.toMatchObject({ name: 'StorageError' });
      expect(fresh.head).toBe('');
    }
  });

  test('of another realm is not taken over; only who began a realm makes one', async () => {
    const { first, second } = await pair();
    await fill(first, 3);
    await send(first, second);
    expect(await second.prune('test', ALL)).toMatchObject({ reason: 'not-founder' });
    await first.commit({
      ops: [{ op: 'del', path: `devices/${LAPTOP}` }],
      message: 'Remove it',
      via: 'test',
    });
    await first.prune('test', ALL);
    const base = first.base() ?? new Uint8Array(0);
    const other = await openReplica(fakeRuntime(), { realm: 'f'.repeat(64) });
    await expect(other.takeBase(base)).rejects.toMatchObject({ code: 'other-realm' });
  });
});

describe('a base on its way', () => {
  test('that comes late is nothing new to whoever dropped more since', async () => {
    const store = await openFounder(fakeRuntime());
    await fill(store, 3);
    await store.prune('test', ALL);
    const page = await store.exportMissing({});
    await fill(store, 3);
    await store.prune('test', ALL);
    const { added, refused } = await store.importCommits(page);
    // Of the two commits, its own and the declaration, the base says nothing more.
    expect([added, refused.map(({ reason }) => reason.code)]).toEqual([0, ['too-old']]);
  });

  test('is in one page, however it is cut, with what came after it', async () => {
    const store = await openFounder(fakeRuntime());
    for (let value = 0; value < 3; value++) {
      const set = {
        op: 'set',
        path: `names/n${value}`,
        value: { text: 'ü€😀'.repeat(9_000) },
      } as const;
      await store.commit({ ops: [set], message: 'Set', via: 'test' });
    }
    await store.commit(setName('x', 1));
    await store.prune('test', ALL);
    const page = await store.exportMissing({});
    expect(scan(page).bad).toEqual([]);
    expect(splitBase(page).base).toEqual(store.base());
    const [first] = scan(page).frames;
    expect(splitBase(page.subarray(first?.end)).base).toBeUndefined();
    const fresh = await openReplica(fakeRuntime(), { realm: store.realm });
    await send(store, fresh);
    expect([fresh.head, plain(fresh)]).toEqual([store.head, plain(store)]);
    expect(await store.exportMissing(fresh.vector())).toHaveLength(0);
  });
});

describe('a backup of what is kept', () => {
  test('brings it back on a blank machine, after what was kept before or without it', async () => {
    const runtime = fakeRuntime();
    const { crypto } = runtime;
    const store = await openFounder(runtime);
    await fill(store, 10);
    const whole = await gather(crypto, store, BEGINNING);
    await store.prune('test', ALL);
    await fill(store, 4);
    const fresh = await gather(crypto, store, BEGINNING);
    const next = await gather(crypto, store, whole?.reach ?? BEGINNING);
    for (const chain of [[fresh], [whole, next], [whole, fresh]]) {
      const replica = await openReplica(fakeRuntime(), { realm: store.realm });
      for (const stretch of chain) {
        await takeBundle(crypto, replica, stretch?.bundle ?? new Uint8Array(0));
      }
      expect([replica.head, plain(replica)]).toEqual([store.head, plain(store)]);
    }
  });

  test('knows the founder when the recovery key began the realm', async () => {
    const runtime = fakeRuntime();
    const signer = signerOf(runtime.crypto, 9);
    const { id } = someone(9);
    const first = await openStore(runtime, {
      directory: DIRECTORY,
      writer: { deviceId: id, name: 'Recovery', signer },
      genesis: {
        founder: {
          deviceId: LAPTOP,
          name: 'Laptop',
          publicKey: signerOf(runtime.crypto, 2).publicKey,
        },
      },
    });
    const laptop = await openLaptop(fakeRuntime(), { realm: first.realm });
    await send(first, laptop);
    await fill(laptop, 4);
    expect((await laptop.prune('test', ALL)).dropped).toBeGreaterThan(0);
    const replica = await openReplica(fakeRuntime(), { realm: first.realm });
    await send(laptop, replica);
    expect(replica.head).toBe(laptop.head);
  });
});
