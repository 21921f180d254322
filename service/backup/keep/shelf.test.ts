import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type FakeFiles, fakeFiles, PowerCut } from '#runtime/fake';
import { isKeptName, openShelf, type Shelf } from './shelf.ts';

const DIRECTORY = '/data/kept/alice';
const A = `${'a'.repeat(26)}.age`;
const B = `${'b'.repeat(26)}.age`;
const LIST = '00000001.json';
const PLENTY = 2 ** 30;
const bytes = (size: number, fill = 7): Uint8Array => new Uint8Array(size).fill(fill);

const open = (files: FakeFiles): Promise<Shelf> => openShelf(files, DIRECTORY);

async function read(shelf: Shelf, name: string): Promise<Uint8Array | undefined> {
  const file = await shelf.open(name);
  if (file === undefined) return undefined;
  await using held = file;
  return held.read(0, held.size);
}

test.each([
  { name: A, isKept: true, why: 'a sealed file' },
  { name: LIST, isKept: true, why: 'a list' },
  { name: `${LIST}.sig`, isKept: true, why: 'its signature' },
  { name: '', isKept: false, why: 'nothing' },
  { name: '..', isKept: false, why: 'a way out' },
  { name: `../${A}`, isKept: false, why: 'a way out' },
  { name: `${A}\n`, isKept: false, why: 'a line more' },
  { name: `${A}.1-2.new`, isKept: false, why: 'half a file' },
  { name: A.toUpperCase(), isKept: false, why: 'some file systems see no difference' },
  { name: 'index.html', isKept: false, why: 'no file of a backup' },
  { name: `${'1'.repeat(16)}.json`, isKept: false, why: 'a number that nobody counts to' },
])('$name: $why', ({ name, isKept }) => {
  expect(isKeptName(name)).toBe(isKept);
});

test('what was written stays as it was', async () => {
  const shelf = await open(fakeFiles());
  expect(await shelf.put(A, bytes(10), PLENTY)).toBe('created');
  expect(await shelf.put(A, bytes(10), PLENTY)).toBe('same');
  expect(await shelf.put(A, bytes(10, 8), PLENTY)).toBe('taken');
  expect(await read(shelf, A)).toEqual(bytes(10));
  expect(await shelf.remove(A)).toBe(true);
  expect(await shelf.remove(A)).toBe(false);
  expect(await read(shelf, A)).toBeUndefined();
});

test('a signature is replaced until its list is there', async () => {
  const shelf = await open(fakeFiles());
  const sig = `${LIST}.sig`;
  expect(await shelf.put(sig, bytes(3), PLENTY)).toBe('created');
  expect(await shelf.put(sig, bytes(4), PLENTY)).toBe('replaced');
  await shelf.put(LIST, bytes(9), PLENTY);
  expect(await shelf.put(sig, bytes(3), PLENTY)).toBe('taken');
  expect(await shelf.put(LIST, bytes(8), PLENTY)).toBe('taken');
});

test('the quota counts blocks, and what was removed no more', async () => {
  const files = fakeFiles();
  const shelf = await open(files);
  expect(await shelf.put(A, bytes(1), 8_192)).toBe('created');
  expect(await shelf.put(B, bytes(4_097), 8_192)).toBe('full');
  expect(await shelf.put(B, bytes(4_096), 8_192)).toBe('created');
  expect(await shelf.put(LIST, bytes(1), 8_192)).toBe('full');
  expect((await open(files)).used()).toBe(8_192);
  await shelf.remove(A);
  expect(await shelf.put(LIST, bytes(1), 8_192)).toBe('created');
});

test('what somebody took off the disk is not there, and is not made', async () => {
  const files = fakeFiles();
  const shelf = await open(files);
  await shelf.put(A, bytes(5), PLENTY);
  await files.remove(`${DIRECTORY}/${A}`);
  expect(await shelf.open(A)).toBeUndefined();
  expect(await files.list(DIRECTORY)).toEqual([]);
  expect(await shelf.put(A, bytes(5), PLENTY)).toBe('created');
});

test('a full disk at any step is said, and nothing else is lost', async () => {
  for (let step = 1; ; step++) {
    const files = fakeFiles();
    const shelf = await open(files);
    await shelf.put(A, bytes(5), PLENTY);
    const at = files.steps + step;
    files.failAt(at, 'no-space');
    const put = await shelf.put(B, bytes(5), PLENTY).catch((thrown: unknown) => thrown);
    if (files.steps < at) break;
    expect(put).toMatchObject({ code: 'no-space' });
    expect(await read(shelf, A)).toEqual(bytes(5));
    expect(['created', 'same']).toContain(await shelf.put(B, bytes(5), PLENTY));
    expect(await read(shelf, B)).toEqual(bytes(5));
  }
});

test.each(['lost', 'kept', 'torn'] as const)(
  'a power cut (%s) leaves all of a file or none of it, and no rest (I7)',
  async (unsynced) => {
    for (let step = 1; ; step++) {
      const files = fakeFiles();
      const shelf = await open(files);
      await shelf.put(A, bytes(5), PLENTY);
      files.crashAt(files.steps + step, unsynced);
      const cut = await shelf.put(B, bytes(9_000), PLENTY).then(
        () => false,
        (thrown: unknown) => thrown instanceof PowerCut,
      );
      if (!cut) break;
      const disk = files.restart();
      const after = await open(disk);
      expect(await read(after, A)).toEqual(bytes(5));
      expect([undefined, bytes(9_000)]).toContainEqual(await read(after, B));
      const names = await disk.list(DIRECTORY);
      expect(names.filter((name) => !isKeptName(name))).toEqual([]);
      expect(after.used()).toBe(names.includes(B) ? 4_096 + 12_288 : 4_096);
    }
  },
);

type Step = { readonly name: string; readonly size: number; readonly fill: number };

/** Writes, and holds what is said against what a map would have. */
async function putBoth(
  shelf: Shelf,
  model: Map<string, Uint8Array>,
  { name, size, fill }: Step,
  quota: number,
): Promise<void> {
  const data = bytes(size, fill);
  const before = model.get(name);
  const isSame = before !== undefined && Buffer.from(before).equals(data);
  const put = await shelf.put(name, data, quota);
  if (before === undefined) expect(['created', 'full']).toContain(put);
  else expect(isSame ? ['same'] : ['taken', 'replaced', 'full']).toContain(put);
  if (put === 'created' || put === 'replaced') model.set(name, data);
  expect(shelf.used()).toBeLessThanOrEqual(quota);
}

test('whatever is done, it is a map that forgets nothing and never exceeds its quota', async () => {
  const put = fc.record({
    name: fc.constantFrom(A, B, LIST, `${LIST}.sig`),
    size: fc.nat(9_000),
    fill: fc.nat(1),
  });
  const steps = fc.array(fc.tuple(fc.constantFrom('put', 'put', 'remove', 'reopen'), put), {
    maxLength: 20,
  });
  await fc.assert(
    fc.asyncProperty(steps, async (all) => {
      const files = fakeFiles();
      const model = new Map<string, Uint8Array>();
      let shelf = await open(files);
      for (const [action, step] of all) {
        if (action === 'reopen') shelf = await open(files);
        else if (action === 'put') await putBoth(shelf, model, step, 16_384);
        else expect(await shelf.remove(step.name)).toBe(model.delete(step.name));
      }
      const kept = await shelf.list();
      const sizes = [...model].map(([name, { length }]) => ({ name, size: length }));
      expect(kept).toHaveLength(sizes.length);
      expect(kept).toEqual(expect.arrayContaining(sizes));
      for (const [name, data] of model) expect(await read(shelf, name)).toEqual(data);
    }),
    { numRuns: 60 },
  );
});
