/** What somebody does to our WireGuard peers with `wg` is seen, healed, and said where it comes from. */

import { expect, test } from 'vitest';
import { findPorts, makeRoom, type Service, startService } from '../conformance/service-stand.ts';
import { createLab, must } from './namespaces.ts';

const LAB = 'nymote-drift';
const BOX = `${LAB}-box`;

const inBox = (...words: string[]): Promise<string> => must('ip', 'netns', 'exec', BOX, ...words);

async function driftOf(service: Service): Promise<unknown> {
  return (await service.json('drift'))['drift'];
}

test('peers: missing, extra, with other AllowedIPs', async () => {
  await using lab = await createLab(LAB);
  await lab.namespace('box');
  await using room = await makeRoom();
  await using service = await startService({
    data: `${room.path}/data`,
    ports: await findPorts(),
    flags: ['--tunnels', 'on', '--interface', 'nymdrift'],
    program: ['ip', 'netns', 'exec', BOX, process.execPath],
  });
  await service.run('device', 'add', 'phone');
  expect(await driftOf(service)).toEqual([]);

  const phone = (await inBox('wg', 'show', 'nymdrift', 'peers')).trim();
  const stranger = (await inBox('sh', '-c', 'wg genkey | wg pubkey')).trim();
  await inBox('wg', 'set', 'nymdrift', 'peer', phone, 'remove');
  await inBox('wg', 'set', 'nymdrift', 'peer', stranger, 'allowed-ips', '198.51.100.1/32');
  expect(await driftOf(service)).toMatchObject([
    { line: 'nymdrift.peer.phone', kind: 'missing' },
    { line: `nymdrift.peer.${stranger}`, kind: 'extra', found: ['198.51.100.1/32'] },
  ]);
  await service.run('drift', '--heal');
  expect(await driftOf(service)).toEqual([]);

  await inBox('wg', 'set', 'nymdrift', 'peer', phone, 'allowed-ips', '0.0.0.0/0');
  expect(await driftOf(service)).toMatchObject([
    { line: 'nymdrift.peer.phone', kind: 'different', found: ['0.0.0.0/0'] },
  ]);
  await service.run('drift', '--heal');
  expect(await driftOf(service)).toEqual([]);
  expect((await service.run('why', 'wg0.peer.phone')).stdout).toMatch(
    /^wg nymdrift\.peer\.phone = .*\n {2}rule {5}own-connections/,
  );
});
