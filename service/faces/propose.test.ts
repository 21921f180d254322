import { expect, test } from 'vitest';
import { generateDeviceKeys } from '#identity';
import { fakeRuntime } from '#runtime/fake';
import { openStore, proposeOps } from '#storage';
import { encodeBase64 } from '../base64.ts';
import { EXIT } from '../cli/verbs.ts';
import { type Home, joinHome, threeHomes, twoHomes, wishOf } from '../homes.fixture.ts';
import { join } from '../peers/join.ts';
import { commitOrPropose } from './propose.ts';

const proposalsOf = async (home: Home): Promise<readonly { id: string; what: string[] }[]> =>
  ((await home.json('proposals')) as { proposals: { id: string; what: string[] }[] }).proposals;

const newest = async (home: Home): Promise<string> =>
  ((await home.json('log')) as { commits: { id: string }[] }).commits[0]?.id ?? '';

test('what an owner may not take back alone is proposed, and holds when another one agrees', async () => {
  const { a, b, clock } = twoHomes();
  await using _a = await a.start();
  await using _b = await joinHome(a, b);
  const both = () => clock.advance(2_000);
  await both();
  const before = await newest(a);
  await a.run('name set www A 192.0.2.7');
  const wrote = await newest(a);
  await a.run('proposals --require names');
  await both();
  for (const line of [
    `revert ${wrote}`,
    `revert ${before}..${wrote}`,
    `history restore ${before} names`,
  ]) {
    const asked = await a.run(line);
    expect(asked.exitCode).toBe(EXIT.denied);
    expect((await a.run('name list')).stdout).toContain('www');
    const [proposal] = await proposalsOf(a);
    expect(asked.stderr).toContain(`nymote approve ${proposal?.id}`);
    expect(proposal?.what).toEqual(['Remove the name www.alice.nymote']);
    await both();
    expect((await b.run(`approve ${proposal?.id}`)).exitCode).toBe(EXIT.ok);
    await both();
    expect((await a.run('name list')).stdout).not.toContain('www');
    // And back, for the next one.
    await a.run('name set www A 192.0.2.7');
    await both();
    expect((await b.run(`approve ${(await proposalsOf(b))[0]?.id}`)).exitCode).toBe(EXIT.ok);
    await both();
  }
});

test('so is what decides a conflict', async () => {
  const { a, b, clock } = twoHomes();
  const rule = (note: string) =>
    `rule set lan {"tier":"rule","effect":"allow","do":["resolve"],"who":{"any":["zone:home"]},"what":{"any":["record:*"]},"note":"${note}"}`;
  {
    await using _a = await a.start();
    await a.run(rule('none'));
    await using _b = await joinHome(a, b);
    await clock.advance(2_000);
  }
  {
    await using _a = await a.start();
    await a.run(rule('one'));
  }
  await using _b = await b.start();
  await b.run(rule('two'));
  await using _a = await a.start();
  await clock.advance(60_000);
  expect((await a.run('conflicts')).stdout).toContain('nymote resolve rules/lan/note');
  await a.run('proposals --require rules');
  const asked = await a.run('resolve rules/lan/note --take desktop');
  expect(asked.exitCode).toBe(EXIT.denied);
  const [proposal] = await proposalsOf(a);
  await clock.advance(2_000);
  expect((await b.run(`approve ${proposal?.id}`)).exitCode).toBe(EXIT.ok);
  expect((await b.run('conflicts')).stdout).toContain('agree');
  expect((await b.run('rule list')).stdout).toContain('two');
});

test('what is proposed at the same moment is all proposed', async () => {
  const { a, b, clock } = twoHomes();
  await using _a = await a.start();
  await using _b = await joinHome(a, b);
  await clock.advance(2_000);
  await a.run('proposals --require names');
  const lines = ['x', 'y', 'z'].map((name) => a.run(`name set ${name} A 192.0.2.7`));
  const said = (await Promise.all(lines)).map(({ stderr }) => stderr);
  const ids = (await proposalsOf(a)).map(({ id }) => id);
  expect(new Set(ids).size).toBe(3);
  for (const id of ids) expect(said.join()).toContain(`nymote approve ${id}`);
});

test('what is proposed has a name of its own when the count of commits went back', async () => {
  const runtime = fakeRuntime();
  const { crypto } = runtime;
  const keys = await generateDeviceKeys(crypto);
  const signer = crypto.signer('ed25519', keys.signing.privateKey);
  const writer = { deviceId: keys.id, name: 'laptop', signer };
  const store = await openStore(runtime, { directory: '/data/store', writer });
  const other = await generateDeviceKeys(crypto);
  const signingKey = encodeBase64(other.signing.publicKey);
  const owner = { name: 'desk', role: 'owner', rank: 2, signingKey };
  const commit = (...ops: Parameters<typeof store.commit>[0]['ops']) =>
    store.commit({ ops, message: 'Change', via: 'test' });
  await commit({ op: 'set', path: `devices/${other.id}`, value: owner });
  await commit({ op: 'set', path: 'realm/settings/twoOwners', value: ['names'] });
  const op = { op: 'set', path: 'names/x', value: {} } as const;
  await commit(...proposeOps(keys.id, String(store.seq + 2), [op]));
  const asked = commitOrPropose(store, keys.id, { ops: [op], message: 'Name', via: 'test' });
  await expect(asked).rejects.toThrow('It is proposed');
  expect(store.state().get('proposals')?.size).toBe(2);
});

test('who may not add a device alone is told the way', async () => {
  const { a, b, clock } = twoHomes();
  await using _a = await a.start();
  await using _b = await joinHome(a, b);
  await clock.advance(2_000);
  await a.run('proposals --require devices');
  expect(await a.run('device add phone')).toMatchObject({
    exitCode: EXIT.denied,
    stderr: expect.stringContaining('two owners take devices (and keys) off that list'),
  });
  expect((await a.run('device list')).stdout).not.toContain('phone');
});

test.each([
  {
    require: 'devices',
    line: 'device add tablet --node',
    says: /empty that list(?!.*--role)/,
    why: 'no device',
  },
  {
    require: 'devices',
    line: 'device add tablet --node --role device',
    says: /take devices \(and keys\) off that list/,
    why: 'also none that changes little',
  },
  {
    require: 'names',
    line: 'device add tablet --node',
    says: /empty that list.*--role device/,
    why: 'no other owner, whatever needs two',
  },
  {
    require: 'keys',
    line: 'device add tablet --node --role guest',
    says: /take devices \(and keys\) off that list/,
    why: 'nobody whom the keys cannot be given to',
  },
])('nor is a code made that lets in nobody: $why', async ({ require, line, says }) => {
  const { a, b, clock } = twoHomes();
  await using _a = await a.start();
  await using _b = await joinHome(a, b);
  await clock.advance(2_000);
  await a.run(`proposals --require ${require}`);
  const { exitCode, stdout, stderr } = await a.run(line);
  expect([exitCode, stdout, stderr]).toEqual([EXIT.denied, '', expect.stringMatching(says)]);
});

test('one that changes little is let in by one owner where only owners need two', async () => {
  const { a, b, c, clock } = threeHomes();
  await using _a = await a.start();
  await using _b = await joinHome(a, b);
  await clock.advance(2_000);
  await a.run('proposals --require names');
  const { code } = await a.json('device add shelf --node --role device --auto-confirm');
  expect(await join(c.runtime, c.config, wishOf(String(code)))).toMatchObject({ ok: true });
});

test.each([
  {
    path: 'options',
    steps: [
      ['option set system.main.zonename CET', 'option list', /system\.main\.zonename {2}CET/],
      ['option unset system.main.zonename', 'option list', /^There are no options\./],
    ],
  },
  {
    path: 'realm/hub',
    steps: [
      ['hub join http://192.0.2.3:8054 --invite x', 'exchange', /192\.0\.2\.3:8054/],
      ['hub leave', 'exchange', /^(?!.*192\.0\.2\.3)/s],
    ],
  },
  {
    path: 'devices',
    steps: [['device remove phone', 'device list', /^(?!.*phone)/s]],
  },
] as const)('and so is what is at $path', async ({ path, steps }) => {
  const { a, b, c, clock } = threeHomes();
  await using _hub = await c.runtime.http.listen({ address: '192.0.2.3', port: 8_054 }, () =>
    Response.json({}),
  );
  await using _a = await a.start();
  await using _b = await joinHome(a, b);
  await clock.advance(2_000);
  await a.run('device add phone');
  expect((await a.run(`proposals --require ${path}`)).exitCode).toBe(EXIT.ok);
  for (const [line, look, says] of steps) {
    const before = (await a.run(look)).stdout;
    const asked = await a.run(line);
    const [proposal] = await proposalsOf(a);
    expect([asked.exitCode, asked.stderr]).toEqual([
      EXIT.denied,
      expect.stringContaining(`nymote approve ${proposal?.id}`),
    ]);
    expect((await a.run(look)).stdout).toBe(before);
    await clock.advance(2_000);
    expect((await b.run(`approve ${proposal?.id}`)).exitCode).toBe(EXIT.ok);
    await clock.advance(2_000);
    expect((await a.run(look)).stdout).toMatch(says);
  }
});
