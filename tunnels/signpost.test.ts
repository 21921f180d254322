import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RuntimeError } from '#runtime';
import {
  desiredOf,
  endpointsSet,
  finish,
  isSetPeer,
  knockOf,
  rebuild,
  replay,
  startPair,
} from './signpost.fixture.ts';

describe('reaching', () => {
  test('both ends have each other, one of them with an endpoint', async () => {
    const pair = await startPair({ delayMs: 40 });
    const { a, b } = pair;
    const reached = await finish(pair, a.tunnels.reach('b', 3_000));
    expect(reached).toMatchObject({
      state: 'up',
      via: 'asked',
      endpoint: { address: b.address, port: 51_820 },
    });
    // Knock and welcome, then initiation and response.
    expect(reached.state === 'up' && reached.milliseconds).toBeLessThan(200);
    expect(endpointsSet(a)).toEqual([`${b.address}:51820`]);
    expect(endpointsSet(b)).toEqual([]);
    expect(b.wireguard.peers.size).toBe(1);
  });

  test('a tunnel that is there is told at once, on both sides', async () => {
    const pair = await startPair({});
    await finish(pair, pair.a.tunnels.reach('b', 1_000));
    const again = await finish(pair, pair.a.tunnels.reach('b', 1_000));
    const back = await finish(pair, pair.b.tunnels.reach('a', 1_000));
    expect([again, back]).toMatchObject([{ via: 'already-up' }, { via: 'already-up' }]);
  });

  test('a tunnel that was just seen runs no program; on another interface it is looked at', async () => {
    const pair = await startPair({});
    const { a } = pair;
    const index = '/sys/class/net/nya/ifindex';
    const ask = async () => {
      const before = a.runtime.exec.calls.length;
      expect(await finish(pair, a.tunnels.reach('b', 1_000))).toMatchObject({ state: 'up' });
      return a.runtime.exec.calls.length - before;
    };
    await a.runtime.files.makeDirectory('/sys/class/net/nya');
    await a.runtime.files.replace(index, Uint8Array.of(1));
    await ask();
    expect(await ask()).toBe(0);
    await a.runtime.files.replace(index, Uint8Array.of(2));
    expect(await ask()).toBe(1);
    expect(await ask()).toBe(0);
    await a.runtime.files.remove(index);
    expect(await ask()).toBe(1);
  });

  test('all who ask at once share one attempt', async () => {
    const pair = await startPair({ delayMs: 20 });
    const all = Promise.all([1, 2, 3].map(() => pair.a.tunnels.reach('b', 1_000)));
    expect((await finish(pair, all)).map(({ state }) => state)).toEqual(['up', 'up', 'up']);
    expect(pair.a.runtime.exec.calls.filter(isSetPeer)).toHaveLength(1);
  });

  test('who can wait longer is not told no by who cannot', async () => {
    const pair = await startPair({});
    pair.network.setPath('*', '*', { isCut: true });
    const short = pair.a.tunnels.reach('b', 500);
    const long = pair.a.tunnels.reach('b', 5_000);
    expect(await finish(pair, short)).toEqual({ state: 'unreachable', reason: 'no-answer' });
    pair.network.setPath('*', '*', { isCut: false });
    expect(await finish(pair, long)).toMatchObject({ state: 'up' });
  });

  test('two of five datagrams lost', async () => {
    for (let seed = 0; seed < 20; seed++) {
      const pair = await startPair({ delayMs: 30, loss: 0.4, seed });
      expect(await finish(pair, pair.a.tunnels.reach('b', 20_000))).toMatchObject({ state: 'up' });
    }
  });
});

describe('both knock at once', () => {
  test('one gives way, no handshake crosses', async () => {
    const pair = await startPair({ delayMs: 40 });
    const begun = pair.clock.monotonic();
    const both = Promise.all([pair.a.tunnels.reach('b', 3_000), pair.b.tunnels.reach('a', 3_000)]);
    expect(
      (await finish(pair, both)).map((reach) => reach.state === 'up' && reach.via).toSorted(),
    ).toEqual(['answered', 'asked']);
    expect(pair.world.crossed()).toBe(0);
    expect(pair.clock.monotonic() - begun).toBeLessThan(1_000);
  });

  test('whatever the delay, the loss and who is first', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          delayMs: fc.integer({ min: 0, max: 300 }),
          loss: fc.constantFrom(0, 0.3),
          seed: fc.nat({ max: 1_000 }),
          lag: fc.integer({ min: 0, max: 700 }),
        }),
        async ({ lag, ...options }) => {
          const pair = await startPair(options);
          const first = pair.a.tunnels.reach('b', 20_000);
          await pair.clock.advance(lag);
          const both = Promise.all([first, pair.b.tunnels.reach('a', 20_000)]);
          expect((await finish(pair, both)).map(({ state }) => state)).toEqual(['up', 'up']);
          expect(pair.world.crossed()).toBe(0);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('no', () => {
  test.each([
    { ask: 'a', reach: { state: 'up', via: 'self' }, change: {}, why: 'this device itself' },
    {
      ask: 'x',
      reach: { state: 'unreachable', reason: 'unknown-device' },
      change: {},
      why: 'nobody',
    },
    {
      ask: 'b',
      reach: { state: 'refused', reason: 'not-allowed-here' },
      change: { mayConnect: false },
      why: 'denied here',
    },
    {
      ask: 'b',
      reach: { state: 'unreachable', reason: 'no-endpoint' },
      change: { endpoints: [] },
      why: 'nowhere to knock',
    },
    {
      ask: 'b',
      reach: { state: 'unreachable', reason: 'asleep' },
      change: { kind: 'plain' },
      why: 'a phone',
    },
  ] as const)('$why', async ({ ask, reach, change }) => {
    const pair = await startPair({});
    await finish(pair, pair.a.tunnels.apply(desiredOf(pair.a, { ...pair.b.device, ...change })));
    expect(await finish(pair, pair.a.tunnels.reach(ask, 1_000))).toMatchObject(reach);
  });

  test('the other says no: no peer on either side', async () => {
    const pair = await startPair({ accept: () => false });
    expect(await finish(pair, pair.a.tunnels.reach('b', 1_000))).toEqual({
      state: 'refused',
      reason: 'not-allowed-there',
    });
    expect([pair.a.wireguard.peers.size, pair.b.wireguard.peers.size]).toEqual([0, 0]);
  });

  test('a stranger hears nothing at all', async () => {
    const pair = await startPair({});
    await finish(pair, pair.b.tunnels.apply(desiredOf(pair.b)));
    expect(await finish(pair, pair.a.tunnels.reach('b', 2_000))).toEqual({
      state: 'unreachable',
      reason: 'no-answer',
    });
    expect(pair.heard.filter(({ from }) => from === pair.b.address)).toEqual([]);
    expect(pair.b.wireguard.peers.size).toBe(0);
  });

  test.each([
    [
      'ip link add',
      { exitCode: 2, stderr: 'RTNETLINK answers: Operation not permitted\n' },
      'not-root',
    ],
    ['ip', 'not-found', 'no-ip'],
    ['wireguard-go', 'not-found', 'no-wireguard'],
    [
      'wireguard-go',
      { exitCode: 1, stderr: 'ERROR: Failed to create TUN device: /dev/net/tun does not exist\n' },
      'no-tun',
    ],
    ['wg', 'not-found', 'no-wg'],
  ] as const)('where %s says %o tunnels are off: %s', async (command, answer, reason) => {
    const pair = await startPair({ failing: { [command]: answer } });
    expect(await pair.a.tunnels.reach('b', 1_000)).toEqual({ state: 'off', reason });
    expect(await pair.a.tunnels.status()).toMatchObject({ state: 'off', reason, peers: [] });
  });
});

describe('replays', () => {
  test('a recorded knock opens nothing, even after its device was away', async () => {
    const pair = await startPair({});
    await finish(pair, pair.a.tunnels.reach('b', 1_000));
    await finish(pair, pair.b.tunnels.apply(desiredOf(pair.b)));
    expect(await replay(pair, knockOf(pair))).toEqual([]);
    await finish(pair, pair.b.tunnels.apply(desiredOf(pair.b, pair.a.device)));
    const answers = await replay(pair, knockOf(pair));
    expect(pair.b.wireguard.peers.size).toBe(0);
    // The one answer says that the stamp is old, sealed for A, and is no larger than the question.
    expect(answers.map(({ data }) => data.length)).toEqual([knockOf(pair).length]);
  });

  test('a clock that went back to 1970 does not lock a router out', async () => {
    const pair = await startPair({});
    await finish(pair, pair.a.tunnels.reach('b', 1_000));
    await finish(pair, pair.a.tunnels[Symbol.asyncDispose]());
    pair.clock.set(100);
    const reborn = await rebuild(pair, pair.a);
    expect(await finish(pair, reborn.reach('b', 2_000))).toMatchObject({ state: 'up' });
  });

  test('a flood is mostly not looked at', async () => {
    const pair = await startPair({});
    await finish(pair, pair.a.tunnels.reach('b', 1_000));
    expect((await replay(pair, knockOf(pair), 500)).length).toBeLessThanOrEqual(40);
  });
});

describe('afterwards', () => {
  test('a device that is removed is no peer any more (I10), others stay', async () => {
    const pair = await startPair({});
    await finish(pair, pair.a.tunnels.reach('b', 1_000));
    await finish(pair, pair.a.tunnels.apply(desiredOf(pair.a)));
    expect(pair.a.wireguard.peers.size).toBe(0);
    expect(pair.b.wireguard.peers.size).toBe(1);
  });

  test('applying the same again runs nothing that changes (I4)', async () => {
    const pair = await startPair({});
    await finish(pair, pair.a.tunnels.reach('b', 1_000));
    const calls = pair.a.runtime.exec.calls.length;
    await finish(pair, pair.a.tunnels.apply(desiredOf(pair.a, pair.b.device)));
    const made = pair.a.runtime.exec.calls
      .slice(calls)
      .map(({ file, args }) => `${file} ${args[0]}`);
    expect(new Set(made)).toEqual(new Set(['wg show']));
  });

  test('a device that says bye is asked again before it counts as up', async () => {
    const pair = await startPair({});
    await finish(pair, pair.a.tunnels.reach('b', 1_000));
    await finish(pair, pair.b.tunnels[Symbol.asyncDispose]());
    await pair.clock.advance(10);
    const status = await finish(pair, pair.a.tunnels.status());
    expect(status.peers).toMatchObject([{ id: 'b', state: 'quiet' }]);
    expect(pair.b.wireguard.exists).toBe(false);
  });

  test('a device that restarts from nothing says so, and is asked again', async () => {
    const pair = await startPair({});
    await finish(pair, pair.a.tunnels.reach('b', 1_000));
    await pair.clock.advance(5_000);
    pair.b.wireguard.exists = false;
    pair.b.wireguard.peers.clear();
    await finish(pair, pair.b.tunnels.status());
    expect(await finish(pair, pair.a.tunnels.reach('b', 8_000))).toMatchObject({
      state: 'up',
      via: 'asked',
    });
    expect(pair.b.wireguard.peers.size).toBe(1);
  });

  test('a kept tunnel comes by itself, and comes back after the path was cut', async () => {
    const pair = await startPair({});
    pair.network.setPath('*', '*', { isCut: true });
    await finish(pair, pair.a.tunnels.apply(desiredOf(pair.a, { ...pair.b.device, keep: true })));
    await pair.clock.advance(20_000);
    expect(pair.a.wireguard.peers.size).toBe(0);
    pair.network.setPath('*', '*', { isCut: false });
    await pair.clock.advance(60_000);
    const status = await finish(pair, pair.a.tunnels.status());
    expect(status.peers).toMatchObject([{ state: 'up', why: 'b is connected directly.' }]);
  });

  test('peers stay when it is quiet; asking again proves the path again', async () => {
    const pair = await startPair({});
    await finish(pair, pair.a.tunnels.reach('b', 1_000));
    await pair.clock.advance(600_000);
    expect([pair.a.wireguard.peers.size, pair.b.wireguard.peers.size]).toEqual([1, 1]);
    expect((await finish(pair, pair.a.tunnels.status())).peers).toMatchObject([
      { state: 'quiet', lastHandshakeSecondsAgo: 600 },
    ]);
    const again = pair.b.tunnels.reach('a', 2_000);
    expect(await finish(pair, again)).toMatchObject({ state: 'up', via: 'asked' });
  });

  test('who was only heard from is asked to begin: its router lets nothing else in', async () => {
    const pair = await startPair({ delayMs: 20 });
    await finish(
      pair,
      pair.b.tunnels.apply(desiredOf(pair.b, { ...pair.a.device, endpoints: [] })),
    );
    expect(await finish(pair, pair.b.tunnels.reach('a', 1_000))).toMatchObject({
      reason: 'no-endpoint',
    });
    await finish(pair, pair.a.tunnels.reach('b', 1_000));
    await pair.clock.advance(600_000);
    expect(await finish(pair, pair.b.tunnels.reach('a', 2_000))).toMatchObject({
      state: 'up',
      via: 'answered',
    });
    expect(endpointsSet(pair.b)).toEqual([]);
  });

  test('an interface that vanished is made anew', async () => {
    const pair = await startPair({});
    await finish(pair, pair.a.tunnels.reach('b', 1_000));
    pair.a.wireguard.exists = false;
    pair.a.wireguard.peers.clear();
    expect(await finish(pair, pair.a.tunnels.reach('b', 6_000))).toMatchObject({ state: 'up' });
  });

  test('where wg cannot be given its key again, status says so, and it is tried on', async () => {
    const pair = await startPair({});
    const { a } = pair;
    await finish(pair, a.tunnels.reach('b', 1_000));
    const { files } = a.runtime;
    const { withSecretFile } = files;
    const full = () => Promise.reject(new RuntimeError('no-space', 'no space left on device'));
    Object.assign(files, { withSecretFile: full });
    a.wireguard.exists = false;
    a.wireguard.peers.clear();
    expect(await finish(pair, a.tunnels.status())).toMatchObject({
      problem: expect.stringContaining('no space left'),
    });
    await pair.clock.advance(60_000);
    Object.assign(files, { withSecretFile });
    expect(await finish(pair, a.tunnels.reach('b', 6_000))).toMatchObject({ state: 'up' });
  });

  test('news reaches who listens, and only news', async () => {
    const pair = await startPair({});
    const news: string[] = [];
    pair.b.tunnels.onMessage((device, { head }) => news.push(`${device} ${head}`));
    pair.a.tunnels.notify({ kind: 'moved', head: 'abc' });
    await pair.clock.advance(10);
    expect(news).toEqual(['a abc']);
  });

  test('news that a datagram lost come with the next', async () => {
    const pair = await startPair({});
    const news: string[] = [];
    pair.b.tunnels.onMessage((_, { head }) => news.push(head));
    pair.network.setPath('*', '*', { isCut: true });
    pair.a.tunnels.notify({ kind: 'moved', head: 'abc' });
    await pair.clock.advance(10);
    pair.network.setPath('*', '*', { isCut: false });
    await pair.clock.advance(1_000);
    expect(news).toEqual(['abc']);
  });

  test('no private key in arguments or in the log (I2)', async () => {
    const pair = await startPair({});
    await finish(pair, pair.a.tunnels.reach('b', 1_000));
    await finish(pair, pair.a.tunnels[Symbol.asyncDispose]());
    const said = JSON.stringify([pair.a.runtime.exec.calls, pair.a.runtime.log.lines]);
    expect(said).toContain(pair.a.wireguard.key);
    expect(said).not.toContain(pair.a.secret);
  });
});
