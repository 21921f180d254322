/**
 * Ours beside Unbound: the same questions from a seed, over zones of BIND, NSD and Knot, sound and
 * broken; return code, AD and the answer's records must be equal.
 *
 * `NYMOTE_QUESTIONS=10000` asks more, `NYMOTE_SEED=7` asks others.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { PATIENCE_MS } from '../suites/waiting.ts';
import { type Asking, drawsFrom, questionFrom } from './side-by-side-questions.ts';
import { openSideBySide, type Said, type SideBySide } from './side-by-side-stand.ts';
import { ZONES } from './side-by-side-zones.ts';

const QUESTIONS = Number(process.env['NYMOTE_QUESTIONS'] ?? 1_000);
const SEED = Number(process.env['NYMOTE_SEED'] ?? 1);
const IN_FLIGHT = 12;

type Pair = { readonly asking: Asking; readonly ours: Said; readonly unbounds: Said };

const same = (one: Said, other: Said) =>
  one.status === other.status && one.records.join() === other.records.join();

const has = ({ records }: Said, type: string) => records.some((line) => line.includes(` ${type}`));

/** What the zones have aliases at, apart from those a DNAME makes. */
const ALIAS = /^(to\d|chain|alias|loop2?|any\.star|a\.any\.gone)\./i;

/** Zones whose denials are not rightly signed. */
const BROKEN_DENIAL = /[ .](soasig|nsecsig|nsecbad|nsec3bad|nonsec3?|nosig|bare)\.lab\./;

/** Differences that the RFCs leave room for, or that Unbound has to answer for. */
const ALLOWED: readonly { readonly why: string; readonly is: (pair: Pair) => boolean }[] = [
  {
    why: 'whether aliases that lead to a failure are shown: RFC 6604 §3 speaks of the code only',
    is: ({ ours, unbounds }) => ours.status === 'SERVFAIL' && unbounds.status === 'SERVFAIL',
  },
  {
    why: 'who asks for a CNAME wants no other name’s code (RFC 1034 §4.3.2, 3a; RFC 6672 §3.4.1); Unbound takes on what the server went on to say of the target',
    is: ({ asking, ours }) =>
      asking.type === 'CNAME' && ours.status.startsWith('NOERROR') && has(ours, 'cname'),
  },
  {
    why: 'a DNAME asked for below a DNAME is the target’s (RFC 6672 §3.2); Unbound fails, or believes a target that is bogus',
    is: ({ asking, ours, unbounds }) =>
      asking.type === 'DNAME' && (has(ours, 'dname') || has(unbounds, 'dname')),
  },
  {
    why: 'an NSEC asked for at an alias: its own or the target’s, as the server has it (RFC 4034 §4, RFC 4035 §2.5)',
    is: ({ asking, ours, unbounds }) =>
      asking.type === 'NSEC' &&
      (ALIAS.test(asking.name) || [ours, unbounds].some((said) => has(said, 'cname'))),
  },
  {
    why: 'an NSEC that a wildcard made needs a proof beside it (RFC 4035 §5.3.4), which Knot leaves out; Unbound takes the NSEC itself for it',
    is: ({ asking, ours, unbounds }) =>
      asking.type === 'NSEC' && ours.status === 'SERVFAIL' && has(unbounds, 'nsec'),
  },
  {
    why: 'a wildcard under opt-out is insecure and not bogus (RFC 5155 §9.2); Unbound fails some chains that begin with one',
    is: ({ asking, ours, unbounds }) =>
      /^any\.star\..*optout/i.test(asking.name) &&
      unbounds.status === 'SERVFAIL' &&
      !ours.status.includes('AD'),
  },
  {
    why: 'a denial with a missing signature is broken at the end of an insecure chain, too (RFC 4035 §5.5, I1)',
    is: ({ ours, unbounds }) =>
      ours.status === 'SERVFAIL' &&
      !unbounds.status.includes('AD') &&
      has(unbounds, 'cname') &&
      unbounds.records.some((line) => BROKEN_DENIAL.test(line)),
  },
];

const shown = ({ asking, ours, unbounds }: Pair) =>
  [
    `${asking.name} ${asking.type}`,
    ...[ours, unbounds].flatMap(({ status, records }) => [
      status,
      ...records.map((line) => `  ${line}`),
    ]),
  ].join('\n');

const isFine = (pair: Pair) => same(pair.ours, pair.unbounds) || ALLOWED.some(({ is }) => is(pair));

/**
 * Asks both. On a busy machine a server may answer too late for one of them, who fails then and
 * remembers it for some seconds: such a question is asked again, and must end the same.
 */
async function askBoth({ ours, unbounds }: SideBySide, asking: Asking): Promise<Pair> {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    const [own, other] = await Promise.all([ours(asking), unbounds(asking)]);
    const pair = { asking, ours: own, unbounds: other };
    const hasFailed = [own, other].some(({ status }) => /^(SERVFAIL|silence)/.test(status));
    if (isFine(pair) || !hasFailed || performance.now() > end) return pair;
    await sleep(2_000);
  }
}

test(`${QUESTIONS} questions of seed ${SEED} as Unbound`, async () => {
  const draw = drawsFrom(SEED);
  await using stand = await openSideBySide(ZONES, draw);
  const questions = Array.from({ length: QUESTIONS }, () => questionFrom(draw, ZONES));
  const different: Pair[] = [];
  const began = Date.now();
  const queue = questions.values();
  const work = async () => {
    for (const asking of queue) {
      const pair = await askBoth(stand, asking);
      if (!isFine(pair)) different.push(pair);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, work));
  console.log(
    `seed ${SEED}: ${QUESTIONS} questions in ${Date.now() - began} ms, ${different.length} differences`,
  );
  expect(different.map(shown).join('\n\n')).toBe('');
}, 600_000);
