/** What somebody with a good code may not do: become a device that is there already, or none at all. */

import { expect, test } from 'vitest';
import { sealEnrolment } from '#identity';
import { fakeRuntime } from '#runtime/fake';
import { encodeBase64 } from '../base64.ts';
import { A, type Home, joinHome, threeHomes, twoHomes, wishOf } from '../homes.fixture.ts';
import { ENROL_PATH } from './enrol-messages.ts';
import { join } from './join.ts';

type Keys = { readonly signingKey: string; readonly wireguardKey: string };

/** The public keys in a home's key file, which each device of the person knows from the store. */
async function keysOf({ runtime }: Home): Promise<Keys> {
  const file = JSON.parse(new TextDecoder().decode(await runtime.files.read('/data/device.json')));
  return { signingKey: file.signing.publicKey, wireguardKey: file.agreement.publicKey };
}

const devicesOf = async (home: Home) =>
  ((await home.json('device list'))['devices'] as { id: string; name: string; ipv6: string }[]).map(
    ({ id, name, ipv6 }) => ({ id, name, ipv6 }),
  );

async function enrol({ a, b }: { a: Home; b: Home }, keys: Keys): Promise<string> {
  const { runtime } = b;
  const { code } = await a.json('device add tablet --node --auto-confirm');
  const sealed = sealEnrolment(runtime.crypto, runtime.random, {
    code: String(code),
    request: { ...keys, endpoints: [], commitment: keys.signingKey, isAuto: true },
  });
  if (!sealed.ok) throw new Error(sealed.reason);
  const request = new Request(`http://${A}:51821${ENROL_PATH}`, {
    method: 'POST',
    body: new Uint8Array(sealed.pending.request),
  });
  const response = await runtime.http.fetch(request);
  return `${response.status} ${response.ok ? '' : await response.text()}`.trim();
}

const fresh = (seed: string): Keys => {
  const { crypto, random } = fakeRuntime({ seed });
  return {
    signingKey: encodeBase64(random(32)),
    wireguardKey: encodeBase64(crypto.generateAgreementKey().publicKey),
  };
};

const NO_POINT = encodeBase64(new Uint8Array(32));

test.each([
  {
    take: (_: Keys, desktop: Keys) => ({ ...fresh('m'), signingKey: desktop.signingKey }),
    says: '409 known-device',
    why: 'the id of another device',
  },
  {
    take: (laptop: Keys) => ({ ...fresh('m'), signingKey: laptop.signingKey }),
    says: '409 known-device',
    why: 'the id of the writer',
  },
  {
    take: (_: Keys, desktop: Keys) => ({ ...fresh('m'), wireguardKey: desktop.wireguardKey }),
    says: '409 known-device',
    why: "another device's WireGuard key, and with it its address",
  },
  {
    take: () => ({ ...fresh('m'), wireguardKey: NO_POINT }),
    says: '400 malformed',
    why: 'a WireGuard key that is no key',
  },
  {
    take: () => ({ ...fresh('m'), signingKey: 'AAAA' }),
    says: '400 malformed',
    why: 'a signing key that is too short',
  },
  { take: () => fresh('m'), says: '200', why: 'its own keys' },
])('a code is good for a new device only: $why', async ({ take, says }) => {
  const { a, b } = twoHomes();
  await using _a = await a.start();
  await using _b = await joinHome(a, b);
  const before = await devicesOf(a);
  expect(await enrol({ a, b }, take(await keysOf(a), await keysOf(b)))).toBe(says);
  const after = await devicesOf(a);
  expect(after.filter(({ name }) => name !== 'tablet')).toEqual(before);
  expect(after).toHaveLength(before.length + (says === '200' ? 1 : 0));
});

test('two that come at the same moment are both let in', async () => {
  const { a, b, c } = threeHomes();
  await using _ = await a.start();
  const coming = [b, c].map(async ({ runtime, config }) => {
    const { code } = await a.json(`device add ${config.name} --node --auto-confirm`);
    return [runtime, config, wishOf(String(code))] as const;
  });
  const joined = (await Promise.all(coming)).map((each) => join(...each));
  expect(await Promise.all(joined)).toMatchObject([{ ok: true }, { ok: true }]);
  expect(await devicesOf(a)).toHaveLength(3);
});

test('what keeps a device from being added is said where it is read', async () => {
  const { a, b } = twoHomes();
  await using _ = await a.start();
  const { code } = await a.json('device add desktop --node --auto-confirm');
  a.runtime.files.failAt(a.runtime.files.steps + 1, 'no-space');
  const joined = await join(b.runtime, b.config, wishOf(String(code)));
  expect(joined).toEqual({ ok: false, reason: expect.stringMatching(/could not add/) });
  expect(await devicesOf(a)).toHaveLength(1);
});
