import { constants } from 'node:fs';
import { mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FakeFiles, fakeFiles, PowerCut } from '#runtime/fake';
import { bytes, filesSuite } from './files.ts';
import { REAL, realRuntime } from './real.ts';

let root = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'nymote-files-'));
});
afterAll(() => rm(root, { recursive: true }));

const { files } = realRuntime();

filesSuite(REAL, async () => ({ files, directory: await mkdtemp(join(root, 'case-')) }));
filesSuite('fake', async () => ({ files: fakeFiles(['/data']), directory: '/data' }));

describe(`${REAL} files on the disk`, () => {
  const modeOf = async (path: string) => (await stat(path)).mode & 0o777;

  test('modes are exactly what was asked for', async () => {
    const directory = await mkdtemp(join(root, 'case-'));
    await files.replace(`${directory}/open`, bytes('x'));
    await files.replace(`${directory}/secret`, bytes('x'), 0o600);
    await files.replace(`${directory}/shared`, bytes('x'), 0o666);
    await using log = await files.openAppend(`${directory}/log`);
    await log.append(bytes('x'));
    const names = ['open', 'secret', 'shared', 'log'];
    const modes = await Promise.all(names.map((name) => modeOf(`${directory}/${name}`)));
    expect(modes).toEqual([0o644, 0o600, 0o666, 0o600]);
    await files.withSecretFile(bytes('x'), async (path) => {
      expect(await modeOf(path)).toBe(0o600);
    });
  });

  test('replacing a link replaces the link, not what it points to', async () => {
    const directory = await mkdtemp(join(root, 'case-'));
    await writeFile(`${directory}/target`, 'untouched');
    await symlink(`${directory}/target`, `${directory}/link`);
    await files.replace(`${directory}/link`, bytes('new'));
    expect(await files.read(`${directory}/target`)).toEqual(bytes('untouched'));
    expect((await stat(`${directory}/link`)).mode & constants.S_IFMT).toBe(constants.S_IFREG);
  });

  test('a full disk is no-space, and leaves the old content', async () => {
    // /dev/full answers every write with ENOSPC.
    await using full = await files.openAppend('/dev/full');
    await expect(full.append(bytes('x'))).rejects.toMatchObject({ code: 'no-space' });
    expect(full.size).toBe(0);
  });
});

/** Every step of what happens here is crashed once, with each fate of what was not synced. */
async function writeTwice(disk: FakeFiles): Promise<void> {
  await disk.replace('/data/config', bytes('old'));
  await disk.replace('/data/config', bytes('new'));
  await using log = await disk.openAppend('/data/log');
  await log.append(bytes('first.'));
  await log.append(bytes('second.'));
}

describe('fake files lose power', () => {
  test.each(['lost', 'kept', 'torn'] as const)('(I7) at every step, unsynced %s', async (fate) => {
    const whole = fakeFiles();
    await writeTwice(whole);
    const seen = new Set<string>();
    for (let step = 1; step <= whole.steps; step += 1) {
      const disk = fakeFiles();
      disk.crashAt(step, fate);
      await expect(writeTwice(disk)).rejects.toBeInstanceOf(PowerCut);
      await expect(disk.read('/data/config')).rejects.toBeInstanceOf(PowerCut);
      const config = text(await disk.restart().read('/data/config'));
      expect(['', 'old', 'new']).toContain(config);
      seen.add(config);
      seen.add(text(await disk.restart().read('/data/log')));
    }
    expect([...seen].sort((one, other) => (one < other ? -1 : 1))).toEqual(
      {
        lost: ['', 'first.', 'new', 'old'],
        kept: ['', 'first.', 'first.second.', 'new', 'old'],
        torn: ['', 'fir', 'first.seco', 'new', 'old'],
      }[fate],
    );
  });

  test('a step that finds no space leaves the old content', async () => {
    const disk = fakeFiles();
    await disk.replace('/data/config', bytes('old'));
    await using log = await disk.openAppend('/data/log');
    await log.append(bytes('first.'));
    disk.failAt(disk.steps + 1, 'no-space');
    await expect(log.append(bytes('second.'))).rejects.toMatchObject({ code: 'no-space' });
    expect(log.size).toBe(6);
    disk.failAt(disk.steps + 2, 'no-space');
    const failing = disk.replace('/data/config', bytes('new'));
    await expect(failing).rejects.toMatchObject({ code: 'no-space' });
    expect(text(await disk.read('/data/config'))).toBe('old');
    expect(await disk.list('/data')).toEqual(['config', 'log']);
  });
});

function text(data: Uint8Array | undefined): string {
  return new TextDecoder().decode(data);
}
