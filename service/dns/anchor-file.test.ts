import { expect, test } from 'vitest';
import { fakeRuntime } from '#runtime/fake';
import { followWithFile, readAnchorFile } from './anchor-file.ts';

const PATH = '/resolver.json.anchors';
const KEY = Uint8Array.of(1, 1, 3, 13, 7);
const KEYS = [{ rdata: KEY, state: 'add-pend', since: 10, until: 20 }] as const;

test('what is saved is read again; without a file nothing is known', async () => {
  const { clock, files, log } = fakeRuntime();
  expect(await readAnchorFile(files, PATH)).toEqual([]);
  const follow = followWithFile({ files, log }, PATH, []);
  follow.save([]);
  follow.save(KEYS);
  await clock.settle();
  expect(await readAnchorFile(files, PATH)).toEqual(KEYS);
});

test.each([
  { text: '', why: 'empty' },
  { text: '{', why: 'cut off' },
  { text: 'null', why: 'nothing' },
  { text: '{"keys":[{}]}', why: 'no keys' },
  { text: '{"keys":[{"key":"AQEDDQE=","state":"trusted","since":0,"until":0}]}', why: 'no state' },
])('a file that is not ours is refused: $why', async ({ text }) => {
  const { files } = fakeRuntime();
  await files.replace(PATH, new TextEncoder().encode(text));
  expect(await readAnchorFile(files, PATH)).toMatchObject({ source: PATH });
});
