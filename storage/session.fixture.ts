/** One session of the founder's, and its log on the disk. */

import { type FakeFiles, fakeFiles, fakeRuntime } from '#runtime/fake';
import { DIRECTORY, openFounder, setName } from './realm.fixture.ts';

export const SEGMENT = `${DIRECTORY}/log/00000001.log`;

/** What a session of the founder's does; `acknowledged` grows with what it was told is safe. */
export async function work(files: FakeFiles, acknowledged: string[]): Promise<void> {
  const store = await openFounder(fakeRuntime({ files }));
  acknowledged.push(store.head);
  for (const key of ['a', 'b', 'c']) {
    acknowledged.push((await store.commit(setName(key, acknowledged.length))).id);
  }
}

/** A session without faults, after which its ids and its disk are the same each time. */
export async function worked(): Promise<{ files: FakeFiles; ids: readonly string[] }> {
  const files = fakeFiles();
  const ids: string[] = [];
  await work(files, ids);
  return { files, ids };
}

/** Turns over one bit of the log. */
export async function spoil(
  files: Pick<FakeFiles, 'read' | 'replace'>,
  where: (bytes: Uint8Array) => number,
): Promise<void> {
  const bytes = (await files.read(SEGMENT)) ?? new Uint8Array(0);
  const at = where(bytes);
  bytes[at] = (bytes[at] ?? 0) ^ 0x10;
  await files.replace(SEGMENT, bytes);
}
