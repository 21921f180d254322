/**
 * Whatever the servers of signed zones say, by leaving out, breaking and playing back what is signed:
 * an answer with AD is the one that they give when they do not lie. With a cache that is filled by
 * lies as well, answers made from proofs, and zone cuts with a signed and an unsigned side.
 */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Message, type ResourceRecord, TYPE } from '#resolver';
import type { Answer, Internet } from './internet.ts';
import { parseScenario } from './rpl-file.ts';
import { openScenario } from './rpl-run.ts';

const STYLES = [
  ['n', ''],
  ['h', 'NSEC3'],
  ['o', 'OPTOUT'],
] as const;

const zoneBlock = (apex: string, at: string, rest: string, lines: readonly string[]) =>
  [`ZONE_BEGIN ${apex} ${at} ${rest}`, `${apex} NS ns.root.`, ...lines, 'ZONE_END'].join('\n');

const TEXT = [
  'stub-addr: 192.0.2.1',
  'key: root . 13',
  ...STYLES.flatMap(([zone]) => [`key: ${zone} ${zone}. 13`, `key: kid${zone} kid.${zone}. 13`]),
  'trust-key: root',
  'CONFIG_END',
  'SCENARIO_BEGIN lies',
  zoneBlock('.', '192.0.2.1', 'root', [
    'ns.root. A 192.0.2.1',
    'DNSKEY root',
    ...STYLES.flatMap(([zone]) => [
      `${zone}. NS ns.${zone}.`,
      `ns.${zone}. A 192.0.2.3`,
      `DS ${zone}`,
    ]),
  ]),
  ...STYLES.flatMap(([zone, style]) => [
    zoneBlock(`${zone}.`, '192.0.2.3', `${zone} ${style}`, [
      `DNSKEY ${zone}`,
      `ns.${zone}. A 192.0.2.3`,
      `www.${zone}. A 198.51.100.1`,
      `*.w.${zone}. TXT "w"`,
      `here.w.${zone}. A 198.51.100.2`,
      `deep.er.ent.${zone}. A 198.51.100.3`,
      `alias.${zone}. CNAME www.${zone}.`,
      `*.cw.${zone}. CNAME www.${zone}.`,
      `there.cw.${zone}. A 198.51.100.6`,
      `tree.${zone}. DNAME w.${zone}.`,
      `kid.${zone}. NS ns.kid.${zone}.`,
      `ns.kid.${zone}. A 192.0.2.4`,
      `DS kid${zone}`,
      `free.${zone}. NS ns.free.${zone}.`,
      `ns.free.${zone}. A 192.0.2.4`,
    ]),
    zoneBlock(`kid.${zone}.`, '192.0.2.4', `kid${zone} ${style}`, [
      `DNSKEY kid${zone}`,
      `ns.kid.${zone}. A 192.0.2.4`,
      `www.kid.${zone}. A 198.51.100.4`,
      `*.w.kid.${zone}. TXT "k"`,
    ]),
    zoneBlock(`free.${zone}.`, '192.0.2.4', '', [`www.free.${zone}. A 198.51.100.5`]),
  ]),
  'SCENARIO_END',
].join('\n');

/** Those beside a wildcard more often: what it made for others could be played back over them. */
const BELOW = [
  ...['', 'www.', 'no.', 'x.no.', 'w.', 'ent.', 'er.ent.', 'x.ent.', 'deep.er.ent.', 'alias.'],
  ...['x.w.', 'x.w.', 'y.x.w.', 'here.w.', 'here.w.', 'here.w.', 'y.here.w.'],
  ...['x.cw.', 'x.cw.', 'cw.', 'there.cw.', 'there.cw.', 'tree.', 'x.tree.', 'here.tree.'],
  ...['kid.', 'www.kid.', 'no.kid.', 'x.w.kid.', 'w.kid.', 'free.', 'www.free.', 'no.free.'],
];
const TYPES = ['A', 'A', 'A', 'TXT', 'TXT', 'TXT', 'DS', 'NS'];

/** `said` is what was said before, by whichever server; `pick` draws a number below another. */
type Lie = (right: Message, said: readonly Message[], pick: (count: number) => number) => Message;

const meantBy = ({ type, rdata }: ResourceRecord) =>
  type === TYPE.RRSIG ? ((rdata[0] ?? 0) << 8) | (rdata[1] ?? 0) : type;
const setOf = (record: ResourceRecord) => `${meantBy(record)} ${record.owner.key}`;

/** Leaves out what is to go of a set that is drawn. */
const without =
  (isGone: (record: ResourceRecord) => boolean): Lie =>
  (right, _said, pick) => {
    const { answers, authorities } = right;
    const sets = [...new Set([...answers, ...authorities].map(setOf))];
    const chosen = sets[pick(sets.length)];
    const kept = (record: ResourceRecord) => setOf(record) !== chosen || !isGone(record);
    return { ...right, answers: answers.filter(kept), authorities: authorities.filter(kept) };
  };

const broken = (record: ResourceRecord): ResourceRecord =>
  record.type === TYPE.RRSIG
    ? { ...record, rdata: record.rdata.with(-5, (record.rdata.at(-5) ?? 0) ^ 1) }
    : record;

const one = (said: readonly Message[], pick: (count: number) => number) => said[pick(said.length)];

/** What a wildcard made for another name, with or without the proof that went with that. */
const playBack: Lie = (right, said, pick) => {
  const [question] = right.questions;
  const fits = ({ answers: [first], authorities }: Message) =>
    first !== undefined &&
    authorities.length > 0 &&
    [question?.type, TYPE.CNAME].includes(first.type);
  const other = one(said.filter(fits), pick);
  const [first] = other?.answers ?? [];
  if (question === undefined || other === undefined || first === undefined) return right;
  const answers = other.answers
    .filter((record) => setOf(record) === setOf(first))
    .map((record) => ({ ...record, owner: question.name }));
  const { authorities } = pick(2) === 0 ? other : right;
  return { ...right, rcode: 0, authoritative: true, answers, authorities };
};

const LIES: readonly Lie[] = [
  without(() => true),
  without(({ type }) => type === TYPE.RRSIG),
  (right) => ({ ...right, rcode: 3 - right.rcode }),
  (right, said, pick) => ({ ...right, authorities: one(said, pick)?.authorities ?? [] }),
  (right, said, pick) => {
    const more = one(said, pick)?.authorities ?? [];
    return { ...right, authorities: [...right.authorities, ...more] };
  },
  (right, said, pick) => ({
    ...(one(said, pick) ?? right),
    ...{ id: right.id, questions: right.questions },
  }),
  (right) => ({ ...right, answers: right.answers.map(broken) }),
  (right) => ({ ...right, authorities: right.authorities.map(broken) }),
  playBack,
  playBack,
  playBack,
];

const step = fc.record({
  zone: fc.nat(STYLES.length - 1),
  below: fc.nat(BELOW.length - 1),
  type: fc.nat(TYPES.length - 1),
  draws: fc.array(fc.nat(9_999), { minLength: 5, maxLength: 5 }),
});

const asked = ({ zone, below, type }: { zone: number; below: number; type: number }) =>
  [`${BELOW[below]}${STYLES[zone]?.[0]}.`, TYPES[type] ?? 'A'] as const;

test('what is vouched for is true', async () => {
  const parsed = parseScenario(TEXT);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  const seen = { vouched: 0, refused: 0 };
  const { internet: honest } = await openScenario(parsed.scenario, { minimise: false });
  await using _ = honest;
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 120, size: 'max' }),
      fc.boolean(),
      async (steps, minimise) => {
        const said: Message[] = [];
        let draws: readonly number[] = [0];
        let drawn = 0;
        const pick = (count: number) => (draws[drawn++ % draws.length] ?? 0) % Math.max(1, count);
        const lie = (right: Message): Message => {
          said.push(right);
          // Without keys there is nothing to be misled about.
          if (right.questions[0]?.type === TYPE.DNSKEY || pick(2) === 0) return right;
          return LIES[pick(LIES.length)]?.(right, said, pick) ?? right;
        };
        const { internet } = await openScenario(parsed.scenario, { minimise, lie });
        await using __ = internet;
        for (const each of steps) {
          draws = each.draws;
          await judge(internet, honest, asked(each), seen);
        }
      },
    ),
    // Whole resolvers are too slow to look for the shortest way to a mistake.
    { numRuns: 30, endOnFailure: true },
  );
  console.log(`lies: ${seen.vouched} answers vouched for and true, ${seen.refused} refused`);
  expect(seen.vouched).toBeGreaterThan(50);
  expect(seen.refused).toBeGreaterThan(50);
});

async function judge(
  internet: Internet,
  honest: Internet,
  [name, type]: readonly [string, string],
  seen: { vouched: number; refused: number },
): Promise<void> {
  const told = await internet.ask(name, type, { authenticData: true });
  if (told.rcode === 2) seen.refused++;
  if (!told.message.authenticData) return;
  seen.vouched++;
  const truth = await honest.ask(name, type, { authenticData: true });
  const content = ({ rcode, lines }: Answer) => ({
    rcode,
    lines: lines.map((line) => line.replace(/ \d+ IN /, ' ')).toSorted(),
  });
  expect(content(told), `${name} ${type}`).toEqual(content(truth));
}
