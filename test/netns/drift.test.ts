/** What somebody does to our WireGuard peers with `wg` is seen, healed, and said where it comes from. */

import { expect, test } from 'vitest';
import { findPorts, makeRoom, type Service, startService } from '../conformance/service-stand.ts';
import { createLab, until } from './namespaces.ts';

/** wireguard-go's control sockets are shared by all namespaces. */
const WIRE = `nymd${process.pid}`;

type Line = { readonly line: string; readonly kind: string; readonly found?: readonly string[] };

async function driftOf(service: Service): Promise<readonly Line[]> {
  return (await service.json('drift'))['drift'] as readonly Line[];
}

test('peers: missing, extra, with other AllowedIPs', async () => {
  await using lab = await createLab('nymote-drift');
  await lab.namespace('box');
  const inBox = async (...words: string[]) => (await lab.must('box', ...words)).trim();
  await using room = await makeRoom();
  await using service = await startService({
    data: `${room.path}/data`,
    ports: await findPorts(),
    flags: ['--tunnels', 'on', '--interface', WIRE],
    program: ['ip', 'netns', 'exec', lab.fullName('box'), process.execPath],
  });
  await service.run('device', 'add', 'phone');
  let phone = '';
  const isThere = async () => {
    phone = await inBox('wg', 'show', WIRE, 'peers');
    return phone !== '';
  };
  expect(await until(isThere)).toBe(true);
  expect(await driftOf(service)).toEqual([]);

  // Tunnels look after themselves now and then: what is healed before it is looked for is done again.
  let drift: readonly Line[] = [];
  const isSeen = async (count: number, meddle: () => Promise<unknown>) => {
    await meddle();
    drift = await driftOf(service);
    return drift.length === count;
  };
  const stranger = await inBox('sh', '-c', 'wg genkey | wg pubkey');
  const swap = async () => {
    await inBox('wg', 'set', WIRE, 'peer', phone, 'remove');
    await inBox('wg', 'set', WIRE, 'peer', stranger, 'allowed-ips', '198.51.100.1/32');
  };
  await until(() => isSeen(2, swap));
  expect(drift).toMatchObject([
    { line: `${WIRE}.peer.phone`, kind: 'missing' },
    { line: `${WIRE}.peer.${stranger}`, kind: 'extra', found: ['198.51.100.1/32'] },
  ]);
  await service.run('drift', '--heal');
  expect(await driftOf(service)).toEqual([]);

  await until(() =>
    isSeen(1, () => inBox('wg', 'set', WIRE, 'peer', phone, 'allowed-ips', '0.0.0.0/0')),
  );
  expect(drift).toMatchObject([
    { line: `${WIRE}.peer.phone`, kind: 'different', found: ['0.0.0.0/0'] },
  ]);
  await service.run('drift', '--heal');
  expect(await driftOf(service)).toEqual([]);
  expect((await service.run('why', 'wg0.peer.phone')).stdout).toMatch(
    new RegExp(`^wg ${WIRE}\\.peer\\.phone = .*\\n {2}rule {5}own-connections`),
  );
  await service.stop();
});
