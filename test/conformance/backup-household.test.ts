/**
 * A device of a household comes back from a backup on another machine, after it wrote more than the
 * backup holds: the others have that, and nothing of it is lost.
 */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { PATIENCE } from '../suites/waiting.ts';
import {
  did,
  findPorts,
  makeRoom,
  nymote,
  type Place,
  said,
  startService,
} from './service-stand.ts';

/** A laptop that changed something after its backup, which only the desktop has now. */
async function loseLaptop(room: string, place: (name: string) => Promise<Place>): Promise<Place> {
  const [laptop, desktop] = [await place('laptop'), await place('desktop')];
  await using first = await startService(laptop);
  const phrase = join(room, 'phrase');
  const { words: shown } = await first.json('recovery', 'show');
  await writeFile(phrase, (shown as string[]).join(' '));
  const { code } = await first.json('device', 'add', 'desktop', '--node', '--auto-confirm');
  const to = `127.0.0.1:${laptop.ports.control}`;
  const here = ['--endpoints', '127.0.0.1', '--control-port', String(desktop.ports.control)];
  const words = ['join', to, String(code), '--auto-confirm', '--data', desktop.data, ...here];
  expect(await nymote(words)).toMatchObject({ exitCode: 0 });
  await did(first, 'backup', '--to', join(room, 'backup'));
  await using second = await startService(desktop);
  await did(first, 'name', 'set', 'later', 'A', '192.0.2.4');
  await expect.poll(() => said(second, 'name', 'list'), PATIENCE).toContain('192.0.2.4');
  return desktop;
}

test('what it wrote after the backup counts still, and so does what it writes now', async () => {
  await using room = await makeRoom();
  const place = async (name: string): Promise<Place> => ({
    data: join(room.path, name),
    ports: await findPorts(),
    flags: ['--endpoints', '127.0.0.1'],
  });
  const desktop = await loseLaptop(room.path, place);
  const again = await place('again');
  const from = ['--from', join(room.path, 'backup'), '--phrase-file', join(room.path, 'phrase')];
  expect(await nymote(['restore', ...from, '--data', again.data])).toMatchObject({ exitCode: 0 });

  // It can be reached elsewhere, and is alone: whatever it wrote now would be a fork.
  await using restored = await startService(again);
  expect(await said(restored, 'status')).toContain('came back from a backup and has met no other');
  expect(await said(restored, 'log')).not.toContain('can be reached elsewhere');
  const early = await restored.run('name', 'set', 'early', 'A', '192.0.2.6');
  expect(early.stderr).toContain('Nothing can be changed until it meets one');

  await using second = await startService(desktop);
  await expect.poll(() => said(restored, 'name', 'list'), PATIENCE).toContain('192.0.2.4');
  await expect.poll(() => said(restored, 'status'), PATIENCE).not.toContain('read-only');
  await did(restored, 'name', 'set', 'now', 'A', '192.0.2.5');
  for (const service of [restored, second]) {
    const log = () => said(service, 'log');
    await expect.poll(log, PATIENCE).toContain('laptop can be reached elsewhere');
    await expect.poll(() => said(service, 'name', 'list'), PATIENCE).toMatch(/\.4\n.*\.5\n/);
    expect(await said(service, 'late')).toContain('no late changes');
    expect(await said(service, 'status')).not.toContain('came back from a backup');
  }
});
