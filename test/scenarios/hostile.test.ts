/**
 * Whatever the network sends, the asker gets an answer in time and the work stays bounded (I6).
 */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeMessage, type Message } from '#resolver';
import { openInternet, type Quirk, ROOT_ADDRESS } from './internet.ts';
import { COM, EXAMPLE, NET, OTHER, SECOND, WORLD } from './world.ts';

const SERVERS = [ROOT_ADDRESS, COM, NET, EXAMPLE, SECOND, OTHER];

/** Ways to spoil a reply; numbers choose octets. */
type Spoil = { readonly kind: string; readonly numbers: readonly number[] };

const spoil: fc.Arbitrary<Spoil> = fc.record({
  kind: fc.constantFrom(
    'right',
    'right',
    'random',
    'flip',
    'cut',
    'flags',
    'swap',
    'silent',
    'twice',
  ),
  numbers: fc.array(fc.nat(65_535), { minLength: 4, maxLength: 40 }),
});

function spoiled(right: Message, { kind, numbers }: Spoil): ReturnType<Quirk> {
  const octets = encodeMessage(right);
  const [first = 0, second = 0] = numbers;
  switch (kind) {
    case 'random':
      return Uint8Array.from([octets[0] ?? 0, octets[1] ?? 0, ...numbers]);
    case 'flip':
      for (const number of numbers) octets[2 + (number % (octets.length - 2))] = number >> 8;
      return octets;
    case 'cut':
      return octets.slice(0, first % octets.length);
    case 'flags':
      octets[2] = 0x80 | (first & 0x7f);
      octets[3] = second & 255;
      return octets;
    case 'swap':
      return { ...right, answers: right.authorities, authorities: right.answers };
    case 'silent':
      return undefined;
    case 'twice':
      return [octets.slice(0, 30), octets];
    default:
      return right;
  }
}

const name = fc.constantFrom(
  'www.example.com.',
  'outside.example.com.',
  'www.moved.example.com.',
  'www.glueless.com.',
  'no.such.name.example.com.',
  'big.example.com.',
);

test('any mixture of right, broken, missing and made-up replies', async () => {
  await fc.assert(
    fc.asyncProperty(
      name,
      fc.array(spoil, { minLength: 1, maxLength: 30 }),
      async (asked, script) => {
        let turn = 0;
        const quirk: Quirk = (_query, right) => {
          const next = script[turn++ % script.length];
          return next === undefined ? right : spoiled(right, next);
        };
        const quirks = Object.fromEntries(SERVERS.map((server) => [server, quirk]));
        await using internet = await openInternet(WORLD, { quirks });
        const answer = await internet.ask(asked, 'A');
        expect([0, 2, 3]).toContain(answer.rcode);
        expect(answer.message.authenticData).toBe(false);
        expect(internet.resolver.stats().upstreamSends).toBeLessThanOrEqual(200);
        expect(internet.clock.monotonic()).toBeLessThanOrEqual(11_000);
      },
    ),
    { numRuns: 40 },
  );
});
