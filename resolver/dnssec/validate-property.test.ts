/**
 * Random zones of our own, signed by our own authority: every answer is secure, and no change of
 * one octet on its way makes a secure answer that says something else.
 */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nodeRuntime } from '#runtime/node';
import { createAuthority } from '../authority.ts';
import type { Outcome } from '../frame.ts';
import { decodeMessage, encodeMessage, type Message } from '../message.ts';
import { printName } from '../name.ts';
import { canonicalRdata } from '../rdata.ts';
import type { RRset } from '../rrset.ts';
import { type Reply, scrub } from '../scrub.ts';
import { CLASS, TYPE } from '../type.ts';
import { APEX, sampleName, sampleQuery, sampleRecord } from '../zone.fixture.ts';
import { buildZone } from '../zone.ts';
import { createChainMemory } from './chain.ts';
import { anchor, generateZoneKey, keySets } from './keys.ts';
import { createZoneSigner } from './sign.ts';
import { NOW, samples } from './signed.fixture.ts';
import { type Found, type Validated, validate } from './validate.ts';

const { crypto } = nodeRuntime();
const { trust } = samples(crypto);
const key = await generateZoneKey(crypto);
const EDNS = { udpSize: 4096, version: 0, dnssecOk: true, options: [] };
const CONTEXT = { now: NOW, clockIsSet: true, followAliases: false };

const ANCHOR = anchor(crypto, APEX, [key]).ds.trim();
const known = new Map([[`${TYPE.DNSKEY} ${APEX.key}`, signedKeys()]]);

/** The zone's keys, as they would be fetched. */
function signedKeys(): Outcome {
  return validate({ name, type, class: CLASS.IN }, found, trust([ANCHOR], known));
}

/** What a verdict says, without TTLs; undefined unless it is secure. */
function said(step: Validated | undefined): string | undefined {
  if (step?.kind !== 'verdict' || step.verdict.state !== 'secure') return undefined;
  const { found } = step.verdict;
  const print = ({ owner, type, rdatas }: RRset) =>
    [owner.key, type, ...rdatas.map((rdata) => canonicalRdata(type, rdata).join()).sort()].join(
      ' ',
    );
  if (found.kind === 'answer') return print(found.rrset);
  if (found.kind === 'alias') return found.rrsets.map(print).join(' ');
  return found.kind;
}

/** Referrals and refusals are nothing to validate. */
const isJudged = ({ authoritative, rcode }: Message) => authoritative && [0, 3].includes(rcode);

test('what our authority answers is secure', () => {
  fc.assert(
    fc.property(lines, fc.array(asked, { minLength: 1, maxLength: 8 }), (texts, questions) => {
      const zone = zoneOf(texts);
      fc.pre(zone !== undefined);
      for (const [name, type] of questions) {
        const { query, reply } = zone.ask(name, type);
        // The apex has its DS above, where nothing is trusted.
        if (!isJudged(reply) || (name === '' && type === 'DS')) continue;
        const step = judge(query, reply);
        // An alias of itself.
        if (step === undefined) continue;
        const about = `${printName(query.questions[0]?.name ?? APEX)} ${type}`;
        expect(step, about).toMatchObject({ kind: 'verdict', verdict: { state: 'secure' } });
      }
    }),
    { numRuns: 300 },
  );
});

test('no octet can be changed into a secure answer that says something else', () => {
  const place = fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 }));
  fc.assert(
    fc.property(
      lines,
      asked,
      fc.array(place, { minLength: 8, maxLength: 8 }),
      (texts, [name, type], places) => {
        const zone = zoneOf(texts);
        fc.pre(zone !== undefined);
        const { query, reply } = zone.ask(name, type);
        fc.pre(isJudged(reply));
        const right = said(judge(query, reply));
        const wire = encodeMessage(reply);
        // The question is compared before anything is validated.
        const start = 12 + (query.questions[0]?.name.wire.length ?? 0) + 4;
        for (const [at, change] of places) {
          const changed = wire.slice();
          const index = at % 3 === 0 ? 3 : start + (at % (wire.length - start));
          changed[index] = (changed[index] ?? 0) ^ change;
          const decoded = decodeMessage(changed);
          if (!decoded.ok) continue;
          const now = said(judge(query, decoded.message));
          if (now !== undefined) expect(now).toBe(right);
        }
      },
    ),
    { numRuns: 150 },
  );
});
