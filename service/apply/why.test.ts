/** Where lines come from, in a whole house. */

import { expect, test } from 'vitest';
import { twoHomes } from '../homes.fixture.ts';

test.each([
  {
    line: 'why wg0.peer.phone',
    says: [
      /^wg nymote0\.peer\.phone = 100\.\d+\.[\d.]+\/32, fd/,
      'rule     own-connections',
      'Add phone',
      'source   devices/',
    ],
    why: 'a peer',
  },
  {
    line: 'why dns laptop.alice.nymote AAAA',
    says: [/^dns laptop\.alice\.nymote AAAA = 30 fd/, 'rule     ', 'Begin the realm'],
    why: 'a name',
  },
  {
    line: 'why alice.nymote NS',
    says: [/^dns alice\.nymote NS = 3600 laptop\.alice\.nymote\.\n/, 'rule     ', 'Add phone'],
    why: 'the servers of the zone, which are full devices',
  },
  {
    line: 'why dns alice.nymote SOA',
    says: [
      /^dns alice\.nymote SOA = 60 laptop\.alice\.nymote\. hostmaster\.alice\.nymote\. \d+ 3600 /,
      'Begin the realm',
    ],
    why: 'what the zone says of itself',
  },
  {
    line: 'why uci system.main.zonename',
    says: [
      'uci system.main.zonename = CET',
      'rule     local-administrator',
      'laptop (cli)',
      'person   alice',
    ],
    why: 'an option',
  },
  {
    line: 'why system.main.zonename',
    says: ['uci system.main.zonename = CET', 'rule     local-administrator'],
    why: 'an option as the verb for it has it',
  },
])('$line: $why', async ({ line, says }) => {
  const { a } = twoHomes();
  await using _ = await a.start();
  await a.run('device add phone');
  await a.run('option set system.main.zonename CET');
  const { stdout } = await a.run(line);
  for (const words of says) expect(stdout).toMatch(words);
  const { lines } = await a.json(line);
  expect(lines).toMatchObject([{ person: 'alice', version: expect.any(String) }]);
});

test('what looks like an option and is none is a name', async () => {
  const { a } = twoHomes();
  await using _ = await a.start();
  expect((await a.run('why system.main.zonename')).stdout).toContain('may resolve system.main');
});

test.each([
  {
    line: 'why uci network.lan.ipaddr',
    says: "No line of nymote's is 'uci network.lan.ipaddr'",
    why: 'not ours',
  },
  { line: 'why nft inet fw4', says: "No line of nymote's", why: 'a table of others' },
  { line: 'option set network.lan.ipaddr.x 1', says: 'package.section.option', why: 'no option' },
  { line: 'option set network.wg0.private_key x', says: 'holds a secret', why: 'a secret' },
  { line: 'option set network.lan.mtu 1 --device nobody', says: 'no device nobody', why: 'nobody' },
  { line: 'option unset network.lan.mtu', says: 'no option network.lan.mtu', why: 'it is not set' },
  { line: 'confirm', says: 'No such change is pending', why: 'nothing is pending' },
  { line: 'rollback', says: 'there is no guard at', why: 'no guard' },
  { line: 'apply retry', says: 'there is no guard at', why: 'no guard either' },
])('$line is refused: $why', async ({ line, says }) => {
  const { a } = twoHomes();
  await using _ = await a.start();
  const { exitCode, stderr } = await a.run(line);
  expect([exitCode === 0, stderr]).toEqual([false, expect.stringContaining(says)]);
});

test('where nothing is applied, whoever has options is told', async () => {
  const { a } = twoHomes();
  await using _ = await a.start();
  expect((await a.run('status')).stdout).not.toContain('not applied');
  await a.run('option set system.main.zonename CET');
  expect((await a.run('status')).stdout).toContain(
    'options of this device are not applied: there is no guard',
  );
  expect((await a.run('option list')).stdout).toContain('laptop  system.main.zonename  CET');
  expect((await a.run('drift')).stdout).toContain(
    'Its options are not compared: there is no guard at',
  );
  await a.run('option unset system.main.zonename');
  expect((await a.run('option list')).stdout).toContain('There are no options.');
});
