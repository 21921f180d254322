/**
 * Servers that change the case of names and cannot be asked over TCP: they are reached, and whoever
 * forges replies gains nothing by it (draft-vixie-dnsext-dns0x20).
 */

import { expect, test } from 'vitest';
import type { Message, Name } from '#resolver';
import { type Internet, openInternet, type Quirk, recordOf } from './internet.ts';
import { EXAMPLE, SECOND, WORLD } from './world.ts';

const SERVFAIL = 2;
const WWW = 'www.example.com. 300 IN A 198.51.100.1';
const EVIL = 'www.example.com. 300 IN A 203.0.113.66';

/** A server without TCP; `reply` has what comes to the `turn`-th question over UDP. */
const withoutTcp = (
  reply: (query: Message, right: Message, turn: number) => ReturnType<Quirk>,
): Quirk => {
  let turn = 0;
  return (query, right, transport) =>
    transport === 'tcp' ? undefined : reply(query, right, ++turn);
};

const lowered = (message: Message): Message => ({
  ...message,
  questions: message.questions.map((question) => ({ ...question, name: lower(question.name) })),
});
const lower = ({ key }: Name): Name => ({
  wire: Uint8Array.from(key, (letter) => letter.charCodeAt(0)),
  key,
});
const evil = (right: Message): Message => ({ ...right, answers: [recordOf(EVIL)] });
const otherId = (message: Message): Message => ({ ...message, id: message.id ^ 1 });

const lowering = () => withoutTcp((_query, right) => lowered(right));

/** Both servers do it, so that there is no way round. */
const everywhere = (quirk: () => Quirk) => ({ [EXAMPLE]: quirk(), [SECOND]: quirk() });

const open = (quirks: Record<string, Quirk>) => openInternet(WORLD, { quirks, minimise: false });

const leaf = ({ asked }: Internet) =>
  asked.filter(({ server }) => server === EXAMPLE || server === SECOND);

test.each<{ quirk: () => Quirk; lines: string[]; why: string }>([
  { quirk: lowering, lines: [WWW], why: 'it says the same three times' },
  {
    quirk: () =>
      withoutTcp((_query, right, turn) =>
        lowered({ ...right, answers: [recordOf(WWW.replace('300', `${300 - turn}`))] }),
      ),
    lines: [WWW.replace('300', '296')],
    why: 'it counts times to live down',
  },
  {
    quirk: () => withoutTcp((_query, right, turn) => (turn === 1 ? lowered(evil(right)) : right)),
    lines: [WWW],
    why: 'one forged reply in other letters is not what is believed',
  },
  {
    quirk: () => withoutTcp((_query, right, turn) => lowered(turn < 4 ? evil(right) : right)),
    lines: [],
    why: 'two forged replies to plain letters are one too few',
  },
  {
    quirk: () =>
      withoutTcp((_query, right, turn) => (turn < 4 ? lowered(right) : lowered(evil(right)))),
    lines: [],
    why: 'a forged reply at the end contradicts',
  },
  {
    quirk: () =>
      withoutTcp((_query, right, turn) =>
        turn === 3 ? otherId(lowered(evil(right))) : lowered(turn === 1 ? right : evil(right)),
      ),
    lines: [],
    why: 'a single wrong guess ends it',
  },
])('other letters, no TCP: $why', async ({ quirk, lines }) => {
  await using internet = await open(everywhere(quirk));
  const answer = await internet.ask('www.example.com.', 'A');
  expect(answer).toMatchObject({ rcode: lines.length > 0 ? 0 : SERVFAIL, lines });
});

test('what was not believed is not kept either', async () => {
  const once = () =>
    withoutTcp((_query, right, turn) => lowered(turn === 1 || turn > 3 ? right : evil(right)));
  await using internet = await open(everywhere(once));
  expect(await internet.ask('www.example.com.', 'A')).toMatchObject({ rcode: SERVFAIL });
  await internet.clock.advance(6_000);
  expect(await internet.ask('www.example.com.', 'A')).toMatchObject({ rcode: 0, lines: [WWW] });
});

test('TCP is tried once and not for each name; letters are random for each', async () => {
  await using internet = await open({ [EXAMPLE]: lowering(), [SECOND]: () => undefined });
  for (const name of ['www', 'a', 'b', 'c', 'd', 'e']) {
    expect((await internet.ask(`${name}.example.com.`, 'A')).rcode).toBe(name === 'www' ? 0 : 3);
  }
  const asked = leaf(internet).filter(({ server }) => server === EXAMPLE);
  expect(asked.filter(({ transport }) => transport === 'tcp')).toHaveLength(1);
  // Once in random letters, three times in plain ones.
  expect(asked.filter(({ name }) => name === 'e.example.com.')).toHaveLength(4);
});

test('a forged reply changes nothing for a server that keeps letters', async () => {
  const forgedOnce = withoutTcp((_query, right, turn) =>
    turn === 1 ? lowered(evil(right)) : right,
  );
  await using internet = await open({ [EXAMPLE]: forgedOnce, [SECOND]: forgedOnce });
  await internet.ask('www.example.com.', 'A');
  const before = leaf(internet).length;
  for (const name of ['a', 'b', 'c']) await internet.ask(`${name}.example.com.`, 'A');
  expect(leaf(internet).length - before).toBe(3);
});
