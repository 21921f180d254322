/**
 * What every Files must do.
 */

import { describe, expect, test } from 'vitest';
import type { Files } from '#runtime';

/** Runs the suite; `open` gives files and an empty directory. */
export function filesSuite(
  name: string,
  open: () => Promise<{ readonly files: Files; readonly directory: string }>,
): void {
  describe(`${name} files`, () => {
    test('what was replaced is what is read', async () => {
      const { files, directory } = await open();
      const path = `${directory}/a`;
      expect(await files.read(path)).toBeUndefined();
      await files.replace(path, bytes('one'));
      await files.replace(path, bytes('two'));
      expect(await files.read(path)).toEqual(bytes('two'));
      expect(await files.list(directory)).toEqual(['a']);
    });

    test('a file in a missing directory fails as not found', async () => {
      const { files, directory } = await open();
      const fails = { name: 'RuntimeError', code: 'not-found' };
      await expect(files.replace(`${directory}/no/a`, bytes('x'))).rejects.toMatchObject(fails);
      await expect(files.openAppend(`${directory}/no/a`)).rejects.toMatchObject(fails);
    });

    test('lists are sorted, know directories, and are empty for what is missing', async () => {
      const { files, directory } = await open();
      await files.makeDirectory(`${directory}/m/inner`);
      await files.replace(`${directory}/z`, bytes(''));
      await files.replace(`${directory}/B`, bytes(''));
      expect(await files.list(directory)).toEqual(['B', 'm', 'z']);
      expect(await files.list(`${directory}/m`)).toEqual(['inner']);
      expect(await files.list(`${directory}/missing`)).toEqual([]);
    });

    test('removing is final, and removing nothing is fine', async () => {
      const { files, directory } = await open();
      await files.replace(`${directory}/a`, bytes('x'));
      await files.remove(`${directory}/a`);
      await files.remove(`${directory}/a`);
      expect(await files.read(`${directory}/a`)).toBeUndefined();
    });

    test('a directory is not removed like a file', async () => {
      const { files, directory } = await open();
      await files.makeDirectory(`${directory}/d`);
      await files.makeDirectory(`${directory}/d`);
      await expect(files.remove(`${directory}/d`)).rejects.toMatchObject({ name: 'RuntimeError' });
      expect(await files.list(directory)).toEqual(['d']);
    });

    test('appends add up, are read by offset, and survive reopening', async () => {
      const { files, directory } = await open();
      const path = `${directory}/log`;
      {
        await using log = await files.openAppend(path);
        expect(log.size).toBe(0);
        await log.append(bytes('hello '));
        await log.append(bytes('world'));
        expect(log.size).toBe(11);
        expect(await log.read(6, 5)).toEqual(bytes('world'));
        expect(await log.read(9, 100)).toEqual(bytes('ld'));
        expect(await log.read(11, 1)).toEqual(bytes(''));
        expect(await log.read(50, 1)).toEqual(bytes(''));
      }
      await using again = await files.openAppend(path);
      expect(again.size).toBe(11);
      await again.truncate(5);
      await again.append(bytes('!'));
      expect(again.size).toBe(6);
      expect(await files.read(path)).toEqual(bytes('hello!'));
    });

    test('an empty append changes nothing', async () => {
      const { files, directory } = await open();
      await using log = await files.openAppend(`${directory}/log`);
      await log.append(bytes(''));
      expect(log.size).toBe(0);
    });

    test('a secret file is there while it is used, and gone after, also after a failure', async () => {
      const { files } = await open();
      const paths: string[] = [];
      const read = await files.withSecretFile(bytes('secret'), (path) => {
        paths.push(path);
        return files.read(path);
      });
      expect(read).toEqual(bytes('secret'));
      const failing = files.withSecretFile(bytes('secret'), async (path) => {
        paths.push(path);
        throw new Error('on purpose');
      });
      await expect(failing).rejects.toThrow('on purpose');
      expect(paths).toHaveLength(2);
      for (const path of paths) expect(await files.read(path)).toBeUndefined();
    });
  });
}

/** Text as bytes. */
export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
