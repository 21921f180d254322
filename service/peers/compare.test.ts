/** Two people, or one at two screens, compare six digits before a device is let in. */

import { expect, test } from 'vitest';
import { commitTo, sealEnrolment } from '#identity';
import { encodeBase64 } from '../base64.ts';
import { EXIT } from '../cli/verbs.ts';
import { A, type Home, threeHomes, wishOf } from '../homes.fixture.ts';
import { codeOf, ENROL_PATH, POLL_PATH } from './enrol-messages.ts';
import { type Joined, join } from './join.ts';

type Clock = { readonly advance: (milliseconds: number) => Promise<void> };

async function pass(clock: Clock, milliseconds: number): Promise<void> {
  for (let at = 0; at < milliseconds; at += 100) await clock.advance(100);
}

async function codeAt(a: Home): Promise<string> {
  const { code } = await a.json('device add desktop --node');
  return String(code);
}

/** Joins until somebody decides; what is shown meanwhile. */
function joining(b: Home, code: string, isAuto = false) {
  const giveUp = new AbortController();
  const shown: string[] = [];
  const compare = (digits: string) => void shown.push(digits);
  const joined = join(b.runtime, b.config, wishOf(code, isAuto), {
    compare,
    signal: giveUp.signal,
  });
  return { shown, joined, giveUp: () => giveUp.abort() };
}

const namesOf = async (home: Home): Promise<string[]> =>
  ((await home.json('device list'))['devices'] as { name: string }[]).map(({ name }) => name);

const waitingAt = async (home: Home): Promise<{ name: string; code?: string }[]> =>
  (await home.json('device list'))['waiting'] as { name: string; code?: string }[];

test('both show the same code, and what was confirmed is one commit', async () => {
  const { a, b, clock } = threeHomes();
  await using _ = await a.start();
  const { joined, shown } = joining(b, await codeAt(a));
  await pass(clock, 1_000);
  expect(await namesOf(a)).toEqual(['laptop']);
  const before = ((await a.json('status'))['store'] as { commits: number }).commits;
  const [waiting] = await waitingAt(a);
  expect(waiting).toMatchObject({ name: 'desktop', code: shown[0] });
  expect(shown[0]).toMatch(/^\d{6}$/);
  const confirmed = await a.run(`device confirm desktop --yes-i-see ${shown[0]}`);
  expect(confirmed).toMatchObject({ exitCode: EXIT.ok });
  await pass(clock, 10_000);
  expect(await joined).toMatchObject({ ok: true, name: 'desktop' });
  const after = ((await a.json('status'))['store'] as { commits: number }).commits;
  expect(after).toBe(before + 1);
  // Nobody waits any more: the confirmation cannot be repeated.
  const again = await a.run(`device confirm desktop --yes-i-see ${shown[0]}`);
  expect(again.exitCode).toBe(EXIT.failed);
});

const other = (code: string): string => (code === '000000' ? '000001' : '000000');

test.each([
  {
    decide: async (a: Home) => void (await a.run('device reject desktop')),
    reason: /rejected/,
    why: 'the owner rejects it',
  },
  {
    decide: async (_: Home, giveUp: () => void) => giveUp(),
    reason: /given up/,
    why: 'whoever joins gives up',
  },
  {
    decide: async () => undefined,
    reason: /too old|in time|no such code/,
    why: 'nobody says anything',
  },
])('nobody is let in when $why', async ({ decide, reason }) => {
  const { a, b, clock } = threeHomes();
  await using _ = await a.start();
  const { joined, shown, giveUp } = joining(b, await codeAt(a));
  let ended: Joined | undefined;
  void joined.then((result) => (ended = result));
  await pass(clock, 1_000);
  const wrong = await a.run(`device confirm desktop --yes-i-see ${other(shown[0] ?? '')}`);
  expect(wrong.exitCode).toBe(EXIT.conflict);
  await decide(a, giveUp);
  for (let step = 0; step < 200 && ended === undefined; step++) await clock.advance(5_000);
  expect(ended).toEqual({ ok: false, reason: expect.stringMatching(reason) });
  expect(await namesOf(a)).toEqual(['laptop']);
  expect(await waitingAt(a)).toEqual([]);
});

test('somebody in the middle who has the code is seen', () => {
  const { crypto, random } = threeHomes().a.runtime;
  const text = (): string => encodeBase64(random(32));
  const requestOf = (secret: Uint8Array) => ({
    ...{ signingKey: text(), wireguardKey: text(), endpoints: [], isAuto: false },
    commitment: encodeBase64(commitTo(crypto, secret)),
  });
  const offerOf = (realm: string) => ({
    ...{ realm, signingKey: text(), wireguardKey: text(), nonce: text() },
  });
  const same = Array.from({ length: 300 }, () => {
    const [theirs, own] = [random(32), random(32)];
    // Each side talks to the one in the middle, who had to promise before it knew what to wish for.
    const atNew = codeOf(crypto, theirs, requestOf(theirs), offerOf('ab'));
    return atNew === codeOf(crypto, own, requestOf(own), offerOf('ab'));
  });
  expect(same).not.toContain(true);
});

test('who wants to compare is not let in without it, and takes over nothing', async () => {
  const { a, b, clock } = threeHomes();
  await using _ = await a.start();
  const { code } = await a.json('device add desktop --node --auto-confirm');
  const { joined, shown, giveUp } = joining(b, String(code), false);
  await pass(clock, 1_000);
  expect(shown).toHaveLength(1);
  expect(await namesOf(a)).toEqual(['laptop']);
  giveUp();
  await pass(clock, 6_000);
  expect(await joined).toMatchObject({ ok: false });
});

test.each([
  { spoil: 'number', says: '409 replayed', why: 'the same poll again' },
  { spoil: 'request', says: '403 used', why: 'the same request again' },
  { spoil: 'reveal', says: 'another number', why: 'another number than it promised' },
])('what was sent cannot be sent again or otherwise: $why', async ({ spoil, says }) => {
  const { a, b } = threeHomes();
  await using _ = await a.start();
  const { crypto, random, http } = b.runtime;
  const secret = random(32);
  const request = {
    signingKey: encodeBase64(random(32)),
    wireguardKey: encodeBase64(crypto.generateAgreementKey().publicKey),
    ...{ endpoints: [], commitment: encodeBase64(commitTo(crypto, secret)), isAuto: false },
  };
  const sealed = sealEnrolment(crypto, random, { code: await codeAt(a), request });
  if (!sealed.ok) throw new Error(sealed.reason);
  const post = async (path: string, bytes: Uint8Array) => {
    const body = new Uint8Array(bytes);
    const url = `http://${A}:51821${path}`;
    const response = await http.fetch(new Request(url, { method: 'POST', body }));
    return { status: response.status, bytes: new Uint8Array(await response.arrayBuffer()) };
  };
  const { pending } = sealed;
  await post(ENROL_PATH, pending.request);
  const reveal = spoil === 'reveal' ? random(32) : secret;
  const poll = pending.ask({ reveal: encodeBase64(reveal), number: 1 });
  const first = await post(POLL_PATH, poll.request);
  const opened = poll.open(first.bytes);
  const again = await post(
    spoil === 'request' ? ENROL_PATH : POLL_PATH,
    spoil === 'request' ? pending.request : poll.request,
  );
  const told = `${again.status} ${new TextDecoder().decode(again.bytes)} ${JSON.stringify(opened)}`;
  expect(told).toContain(says);
});

test.each([
  { role: 'owner', writes: EXIT.ok, why: 'it may change everything' },
  { role: 'device', writes: EXIT.denied, why: 'it may change what concerns itself' },
  { role: 'guest', writes: EXIT.denied, why: 'it may change nothing' },
])('a new machine as $role: $why', async ({ role, writes }) => {
  const { a, b, clock } = threeHomes();
  await using _a = await a.start();
  const { code } = await a.json(`device add desktop --node --auto-confirm --role ${role}`);
  expect(await join(b.runtime, b.config, wishOf(String(code)))).toMatchObject({ ok: true });
  await using _b = await b.start();
  await pass(clock, 1_000);
  const { stdout } = await a.run('device list');
  expect(stdout.includes('(')).toBe(role !== 'owner');
  expect((await b.run('device add phone')).exitCode).toBe(writes);
});
