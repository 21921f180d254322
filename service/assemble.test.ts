/**
 * The whole house, twice, in a world of the test's own: no socket, no file, no program is real.
 */

import { expect, test } from 'vitest';
import { decodeMessage, encodeMessage, parseRecord, TYPE } from '#resolver';
import { RuntimeError } from '#runtime';
import { fakeRuntime } from '#runtime/fake';
import { assemble } from './assemble.ts';
import { EXIT } from './cli/verbs.ts';
import { A, ask, type Home, homeOf, joinHome, twoHomes, wishOf } from './homes.fixture.ts';
import { join } from './peers/join.ts';

test('a first start makes a realm, its zone and a link to sign in', async () => {
  const { a } = twoHomes();
  await using nymote = await a.start();
  expect(nymote).toMatchObject({ fqdn: 'laptop.alice.nymote', admin: ['http://127.0.0.1:8053'] });
  expect(nymote.signInLink).toMatch(/^http:\/\/127\.0\.0\.1:8053\/sign-in#[0-9A-Z-]{35}$/);
  expect((await ask(a, 'laptop.alice.nymote')).answers).toHaveLength(1);
});

test('a restart finds the same realm, keys and anchor', async () => {
  const { a } = twoHomes();
  const before: unknown[] = [];
  for (let start = 0; start < 2; start++) {
    await using _ = await a.start();
    before.push([
      await a.json('zone anchor'),
      ((await a.json('status'))['store'] as { head: string }).head,
    ]);
  }
  expect(before[1]).toEqual(before[0]);
});

test('a second device joins by a code and serves the same signed zone', async () => {
  const { a, b } = twoHomes();
  await using _a = await a.start();
  await using _b = await joinHome(a, b);
  expect(await b.json('zone anchor')).toEqual(await a.json('zone anchor'));
  expect((await b.json('zone show'))['records']).toEqual((await a.json('zone show'))['records']);
  expect((await ask(b, 'laptop.alice.nymote')).answers).toHaveLength(1);
  expect((await ask(a, 'desktop.alice.nymote')).answers).toHaveLength(1);
});

test.each([
  { on: 'a', seen: 'b', why: 'from the first to the second' },
  { on: 'b', seen: 'a', why: 'and the other way: both are owners' },
] as const)('a change reaches the other device at once, $why', async ({ on, seen }) => {
  const { a, b, clock } = twoHomes();
  const homes = { a, b };
  await using _a = await a.start();
  await using _b = await joinHome(a, b);
  expect(await homes[on].run('device add phone')).toMatchObject({ exitCode: EXIT.ok });
  await clock.advance(2_000);
  expect((await homes[seen].run('device list')).stdout).toContain('phone.alice.nymote');
});

test.each([
  {
    spoil: (code: string) => code.replace(/.$/, (last) => (last === '0' ? '1' : '0')),
    reason: /typing mistake/,
    why: 'a slip',
  },
  { spoil: () => '', reason: /typing mistake/, why: 'nothing' },
])('enrolment with a wrong code changes nothing: $why', async ({ spoil, reason }) => {
  const { a, b } = twoHomes();
  await using _ = await a.start();
  const { code } = await a.json('device add desktop --node --auto-confirm');
  const joined = await join(b.runtime, b.config, wishOf(spoil(String(code))));
  expect(joined).toEqual({ ok: false, reason: expect.stringMatching(reason) });
  expect((await a.run('device list')).stdout).not.toContain('desktop');
});

test('a code works once, and not after its time', async () => {
  const { a, b, clock } = twoHomes();
  await using _ = await a.start();
  const { code } = await a.json('device add desktop --node --auto-confirm');
  expect(await join(b.runtime, b.config, wishOf(String(code)))).toMatchObject({ ok: true });
  const other = fakeRuntime({
    seed: 'c',
    clock,
    network: a.runtime.network,
    addresses: ['192.0.2.3'],
  });
  expect(await join(other, b.config, wishOf(String(code)))).toMatchObject({
    reason: /used already/,
  });
  const { code: late } = await a.json('device add shelf --node --auto-confirm');
  await clock.advance(901_000);
  expect(await join(other, b.config, wishOf(String(late)))).toMatchObject({ reason: /too old/ });
});

test('a directory that has a realm is not joined over', async () => {
  const { a, b } = twoHomes();
  await using _ = await a.start();
  await using _b = await joinHome(a, b);
  const again = await join(b.runtime, b.config, wishOf('x'));
  expect(again).toMatchObject({ ok: false, reason: /belongs to a realm already/ });
});

test('a stranger is refused with the reason, alike for names that exist and that do not', async () => {
  const { a } = twoHomes();
  await using _ = await a.start();
  const stranger = fakeRuntime({
    seed: 's',
    clock: a.runtime.clock,
    network: a.runtime.network,
    addresses: ['198.51.100.9'],
  });
  for (const name of ['laptop.alice.nymote', 'nosuch.alice.nymote', 'www.example.org']) {
    const message = await ask(a, name, stranger, A);
    expect(message).toMatchObject({ rcode: 5, answers: [], authenticData: false });
    expect(message.edns?.options[0]).toMatchObject({
      code: 15,
      data: expect.objectContaining({ 0: 0, 1: 18 }),
    });
  }
});

test('a removed device is gone from the zone and gets nothing any more (I10)', async () => {
  const { a, b, clock } = twoHomes();
  await using _a = await a.start();
  await using _b = await joinHome(a, b);
  expect(await a.run('device remove desktop')).toMatchObject({ exitCode: EXIT.ok });
  expect((await ask(a, 'desktop.alice.nymote')).rcode).toBe(3);
  await clock.advance(120_000);
  expect((await b.json('status'))['warnings']).toContainEqual(
    expect.stringContaining('This device was removed'),
  );
});

test('of two changes that build on the same head one is refused, however close they come', async () => {
  const { a } = twoHomes();
  await using _ = await a.start();
  await a.run('device add phone');
  await a.run('device add tablet');
  const { head } = (await a.json('status'))['store'] as { head: string };
  const remove = async (name: string) => {
    const headers = { 'if-match': `"${head}"` };
    const request = new Request(`http://x/api/v1/devices/${name}`, { method: 'DELETE', headers });
    return (await a.runtime.http.fetch(request, { path: '/data/nymote.sock' })).status;
  };
  expect(await Promise.all([remove('phone'), remove('tablet')])).toEqual([204, 409]);
  expect((await a.run('device list')).stdout).toContain('tablet');
});

test('this device cannot remove itself', async () => {
  const { a } = twoHomes();
  await using _ = await a.start();
  expect(await a.run('device remove laptop')).toMatchObject({ exitCode: EXIT.denied });
});

test('log, diff and revert tell and undo a change', async () => {
  const { a } = twoHomes();
  await using _ = await a.start();
  await a.run('device add phone');
  const { commits } = (await a.json('log')) as { commits: { id: string; message: string }[] };
  expect(commits.map(({ message }) => message)).toEqual(['Add phone', 'Begin the realm']);
  expect((await a.run('diff')).stdout).toContain('+   "name": "phone"');
  expect(await a.run(`revert ${commits[0]?.id.slice(0, 8)}`)).toMatchObject({ exitCode: EXIT.ok });
  expect((await a.run('device list')).stdout).not.toContain('phone');
  expect(await a.run(`revert ${commits[0]?.id}`)).toMatchObject({ exitCode: EXIT.conflict });
  expect(await a.run('revert 0000000')).toMatchObject({ exitCode: EXIT.failed });
});

test('a plain device gets its key once, and the store never has it (I2)', async () => {
  const { a } = twoHomes();
  await using _ = await a.start();
  const added = (await a.json('device add phone')) as { config: string };
  const secret = /PrivateKey = (\S+)/.exec(added.config)?.[1] ?? '';
  expect(secret).toHaveLength(44);
  const everything = JSON.stringify([
    await a.json('log'),
    await a.json('diff'),
    await a.json('device list'),
    a.runtime.log.lines,
  ]);
  expect(everything).not.toContain(secret);
});

test.each([
  {
    line: 'why laptop',
    says: /laptop\.alice\.nymote may .*laptop\.alice\.nymote/,
    why: 'own name',
  },
  {
    line: 'why laptop --asker 198.51.100.9',
    says: /stranger 198\.51\.100\.9 may not/,
    why: 'a stranger',
  },
  {
    line: 'why www.example.org --asker 192.168.1.7',
    says: /may .*www\.example\.org/,
    why: 'the home network recurses',
  },
])('$line: $why', async ({ line, says }) => {
  const { a } = twoHomes();
  await using _ = await a.start();
  expect((await a.run(line)).stdout).toMatch(says);
});

const LAN_NAMES = {
  ...{ tier: 'rule', effect: 'allow', do: ['resolve', 'connect'], note: 'the LAN sees devices' },
  ...{ who: { any: ['zone:home'] }, what: { any: ['record:*', 'device:*'] } },
};

test('a rule is written, holds at once, is listed, and taken back', async () => {
  const { a } = twoHomes();
  await using _ = await a.start();
  const { clock, network } = a.runtime;
  const guest = fakeRuntime({ seed: 'g', clock, network, addresses: ['192.168.1.9'] });
  expect((await ask(a, 'laptop.alice.nymote', guest, A)).rcode).toBe(5);
  const json = JSON.stringify(LAN_NAMES);
  expect(await a.run(`rule set lan-names ${json.replaceAll(' ', '\\u0020')}`)).toMatchObject({
    exitCode: EXIT.ok,
  });
  expect((await ask(a, 'laptop.alice.nymote', guest, A)).answers).toHaveLength(1);
  expect((await a.run('rule list')).stdout).toContain(
    'lan-names  rule  allow  the LAN sees devices',
  );
  expect(await a.run('rule remove lan-names')).toMatchObject({ exitCode: EXIT.ok });
  expect((await ask(a, 'laptop.alice.nymote', guest, A)).rcode).toBe(5);
});

test.each([
  { line: 'rule set x {', exitCode: EXIT.usage, says: /not JSON/, why: 'cut short' },
  {
    line: 'rule set x {"tier":"rule"}',
    exitCode: EXIT.failed,
    says: /effect .*who/s,
    why: 'half a rule',
  },
  {
    line: 'rule set x {"colour":1}',
    exitCode: EXIT.failed,
    says: /colour/,
    why: 'a key nobody knows',
  },
  {
    line: 'rule remove own-names',
    exitCode: EXIT.failed,
    says: /no rule own-names of yours/,
    why: 'a shipped one',
  },
])('a rule is refused in words: $why', async ({ line, exitCode, says }) => {
  const { a } = twoHomes();
  await using _ = await a.start();
  const outcome = await a.run(line);
  expect(outcome.exitCode).toBe(exitCode);
  expect(`${outcome.stdout}${outcome.stderr}`).toMatch(says);
});

test('tokens are made, listed and made worthless', async () => {
  const { a } = twoHomes();
  await using _ = await a.start();
  const { id, token } = (await a.json('token add git --days 2')) as { id: string; token: string };
  expect(token).toMatch(/^nym_/);
  expect((await a.run('token list')).stdout).toContain(`${id}  git`);
  expect(await a.run(`token remove ${id}`)).toMatchObject({ exitCode: EXIT.ok });
  expect((await a.run('token list')).stdout).toContain('no tokens');
  expect(await a.run('token add git --days 0')).toMatchObject({ exitCode: EXIT.failed });
});

test('the keys that signed the history can be given to git', async () => {
  const { a } = twoHomes();
  await using _ = await a.start();
  expect((await a.run('signers')).stdout).toMatch(/ ssh-ed25519 AAAA/);
});

test('without a running service every verb says so and exits 5', async () => {
  const { a } = twoHomes();
  expect(await a.run('status')).toMatchObject({
    exitCode: EXIT.unreachable,
    stderr: /not running .*npm start/,
  });
});

test('a port that is taken stops the start, and leaves nothing listening', async () => {
  const { a } = twoHomes();
  await using _ = await a.runtime.udp.bind({ address: '127.0.0.1', port: 53 }, () => undefined);
  await expect(a.start()).rejects.toThrow(RuntimeError);
  await using _other = await a.runtime.tcp.listen(
    { address: '127.0.0.1', port: 8053 },
    () => undefined,
  );
});

test('the clock at 1970: names are served, and status says that it is not set', async () => {
  const { a, clock } = twoHomes();
  clock.set(12);
  const runtime = { ...a.runtime, clock: { ...clock, isSet: () => false } };
  await using _ = await assemble(runtime, a.config, new Map(), { memoryBytes: () => 0 });
  expect((await ask(a, 'laptop.alice.nymote')).answers).toHaveLength(1);
  expect((await a.run('status')).stdout).toContain('NOT SET');
});

test('a full disk refuses the change in words, and the service goes on', async () => {
  const { a } = twoHomes();
  await using _ = await a.start();
  a.runtime.files.failAt(a.runtime.files.steps + 1, 'no-space');
  const outcome = await a.run('device add phone');
  expect(outcome.exitCode).toBe(EXIT.failed);
  expect((await a.run('device list')).stdout).not.toContain('phone');
  expect(await a.run('device add phone')).toMatchObject({ exitCode: EXIT.ok });
});

/** Answers the other home's questions for AAAA with one record. */
async function forwardTo({ runtime }: Home, line: string) {
  const forwarder = { address: '192.0.2.2', port: 53 };
  const parsed = parseRecord(line);
  if (!parsed.ok) throw new Error(parsed.reason);
  const socket = await runtime.udp.bind(forwarder, (data, from) => {
    const query = decodeMessage(data);
    if (!query.ok) return;
    const isAsked = query.message.questions[0]?.type === TYPE.AAAA;
    const reply = { ...query.message, response: true, recursionAvailable: true };
    socket.send(encodeMessage({ ...reply, answers: isAsked ? [parsed.record] : [] }), from);
  });
  return Object.assign(socket, { forward: [forwarder] });
}

test.each([
  { validate: 'on', rcode: 2, answers: 0 },
  { validate: 'off', rcode: 0, answers: 1 },
] as const)(
  'a forwarder that passes no signatures on, with --validate $validate',
  async ({ validate, rcode, answers }) => {
    const { a, b } = twoHomes();
    await using other = await forwardTo(b, 'example.org. 60 AAAA 2001:db8::1');
    const config = { ...a.config, forward: other.forward, validate };
    await using _ = await homeOf(a.runtime, config).start();
    const reply = await ask(a, 'example.org');
    expect([reply.rcode, reply.answers.length]).toEqual([rcode, answers]);
  },
);

test.each([
  { settings: {}, answers: 0, why: 'a page from outside must not reach the router' },
  { settings: { rebindExcept: ['example.org'] }, answers: 1, why: 'an office has such names' },
  { settings: { rebindProtection: 'off' as const }, answers: 1, why: 'switched off' },
])('a private address in an answer about the internet: $why', async ({ settings, answers }) => {
  const { a, b } = twoHomes();
  await using other = await forwardTo(b, 'example.org. 60 AAAA fd00::1');
  const validate = 'off' as const;
  const config = { ...a.config, forward: other.forward, validate, ...settings };
  await using _ = await homeOf(a.runtime, config).start();
  expect((await ask(a, 'example.org')).answers).toHaveLength(answers);
});
