/**
 * A history of several writers as this version wrote it: merged, forked, revoked, undecided. Every
 * later version reads it, and as long as the format has not changed, writes it.
 */

import { expect, test } from 'vitest';
import { type FakeFiles, fakeFiles, fakeRuntime, manualClock } from '#runtime/fake';
import type { DraftOp } from './changes/narrow.ts';
import { encodeBase64 } from './format/bytes.ts';
import { WRITERS_1 } from './golden.fixture.ts';
import { type Someone, someone } from './members.fixture.ts';
import { DIRECTORY, founderOf, signerOf } from './realm.fixture.ts';
import { openStore, type Store } from './store.ts';

const SEGMENT = `${DIRECTORY}/log/00000001.log`;
const HEADS = WRITERS_1.heads;
const { crypto } = fakeRuntime();
const [LAPTOP, PHONE, TABLET, PHRASE] = [2, 3, 4, 9].map(someone) as [
  Someone,
  Someone,
  Someone,
  Someone,
];

/** A device's store on a disk of its own, always at the same moment. */
function open(files: FakeFiles, seed: number, realm?: string): Promise<Store> {
  const writer =
    seed === 1
      ? founderOf(crypto)
      : { deviceId: someone(seed).id, name: `Device ${seed}`, signer: signerOf(crypto, seed) };
  const runtime = { ...fakeRuntime({ files }), clock: manualClock({ now: 1_795_176_000 }) };
  const recovery = { id: PHRASE.id, signingKey: PHRASE.signingKey };
  return openStore(runtime, {
    ...{ directory: DIRECTORY, writer },
    genesis: { ops: [{ op: 'set', path: 'realm/recovery', value: recovery }] },
    ...(realm === undefined ? {} : { realm }),
  });
}

function change(store: Store, ...ops: readonly DraftOp[]) {
  return store.commit({ ops, message: 'Change', via: 'web: alice' });
}

async function send(from: Store, to: Store): Promise<void> {
  expect((await to.importCommits(await from.exportMissing(to.vector()))).refused).toEqual([]);
}

/** What the golden history went through; `files` is the founder's disk. */
async function live(files: FakeFiles): Promise<Store> {
  const founder = await open(files, 1);
  await letIn(founder);
  const [laptop, phone, twin, tablet] = await Promise.all(
    [2, 3, 3, 4].map(async (seed) => {
      const store = await open(fakeFiles(), seed, founder.realm);
      await send(founder, store);
      return store;
    }),
  );
  if (!(laptop && phone && twin && tablet)) throw new Error('unreachable: four are four');
  await writeEverything(founder);
  await send(founder, laptop);
  await change(laptop, ...onLists(laptop));
  await change(founder, { op: 'set', path: 'names/a/ttl', value: 90, rule: 'lower' });
  await change(tablet, { op: 'set', path: `status/${TABLET.id}`, value: { seen: 1 } });
  // The phone's disk was copied: both go on with the same number.
  await change(phone, { op: 'set', path: 'names/one', value: {} });
  await change(twin, { op: 'set', path: 'names/other', value: {} });
  for (const store of [laptop, tablet, phone, twin]) await send(store, founder);
  await change(founder, { op: 'revoke', path: PHONE.path, lastSeq: 0 });
  await change(laptop, { op: 'set', path: 'names/late', value: {} });
  const last = await open(fakeFiles(), 9, founder.realm);
  await send(founder, last);
  await change(last, { op: 'revoke', path: LAPTOP.path, lastSeq: 1 });
  await change(founder, { op: 'set', path: 'names/a/host', value: 'x' });
  await change(last, { op: 'set', path: 'names/a/host', value: 'y' });
  for (const store of [laptop, last]) await send(store, founder);
  return founder;
}

function letIn(founder: Store) {
  const owner = ({ path, signingKey }: Someone, rank: number): DraftOp => ({
    ...{ op: 'set', path },
    value: { role: 'owner', rank, signingKey },
  });
  const { path, signingKey } = TABLET;
  const grants = [{ prefix: 'names', may: ['write'] }];
  const tablet: DraftOp = { op: 'set', path, value: { role: 'device', signingKey, grants } };
  return change(founder, owner(LAPTOP, 2), owner(PHONE, 3), tablet);
}

async function writeEverything(founder: Store): Promise<void> {
  await change(
    founder,
    { op: 'set', path: 'names/a', value: { ttl: 60, host: 'a' } },
    { op: 'set', path: 'names/gone', value: {} },
    { op: 'add', path: 'groups/g/members', value: 'p' },
    { op: 'add', path: 'groups/g/members', value: 'q' },
    { op: 'grow', path: 'groups/g/seen', value: 'p' },
    { op: 'inc', path: 'names/a/leases', value: 3 },
    { op: 'text', path: 'notes/n/body', value: 'one\ntwo\nthree' },
  );
  for (const [at, value] of ['x', 'y', 'z'].entries()) {
    await change(founder, { op: 'ins', path: 'lists/l/items', at, value });
  }
}

function onLists(store: Store): DraftOp[] {
  expect(store.state().get('lists')?.size).toBe(1);
  return [
    { op: 'mv', path: 'lists/l/items', item: 2, at: 0 },
    { op: 'rem', path: 'lists/l/items', item: 1 },
    { op: 'rem', path: 'groups/g/members', value: 'p' },
    { op: 'inc', path: 'names/a/leases', value: -1 },
    { op: 'text', path: 'notes/n/body', value: 'one\n2\nthree' },
    { op: 'set', path: 'names/a/ttl', value: 30, rule: 'lower' },
    { op: 'del', path: 'names/gone' },
  ];
}

test('a history of several writers opens', async () => {
  const files = fakeFiles([DIRECTORY, `${DIRECTORY}/log`]);
  await files.replace(SEGMENT, Uint8Array.from(Buffer.from(WRITERS_1.log, 'base64')));
  const store = await openStore(fakeRuntime({ files }), { directory: DIRECTORY });
  expect([store.heads, store.problems]).toEqual([HEADS, []]);
  const { realm, devices, ...records } = Object.fromEntries(
    [...store.state()].map(([name, all]) => [name, Object.fromEntries(all)]),
  );
  expect(new Set(Object.keys(realm ?? {}))).toEqual(new Set(['settings', 'recovery']));
  expect(new Set(Object.keys(devices ?? {}))).toEqual(new Set(['router', TABLET.id]));
  expect(records).toEqual({
    groups: { g: { members: ['q'], seen: ['p'] } },
    lists: { l: { items: ['z', 'y'] } },
    names: { a: { ttl: 30, host: 'y', leases: 2 } },
    notes: { n: { body: 'one\n2\nthree' } },
    status: { [TABLET.id]: { seen: 1 } },
  });
  expect(store.conflicts()).toEqual(WRITERS_1.conflicts);
  expect(store.vector()).toEqual(WRITERS_1.vector);
});

test('and is what is written today', async () => {
  const files = fakeFiles();
  const store = await live(files);
  expect(store.heads).toEqual(HEADS);
  expect(encodeBase64((await files.read(SEGMENT)) ?? new Uint8Array(0))).toBe(WRITERS_1.log);
});
