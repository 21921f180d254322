/**
 * Random zones of our own, signed by our own authority: every answer is secure, and no change of
 * one octet on its way makes a secure answer that says something else.
 */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nodeRuntime } from '#runtime/node';
import { createAuthority } from '../authority/authority.ts';
import { APEX, sampleName, sampleQuery, sampleRecord } from '../authority/zone.fixture.ts';
import { buildZone } from '../authority/zone.ts';
import { decodeMessage, encodeMessage, type Message } from '../message/message.ts';
import { printName } from '../message/name.ts';
import { canonicalRdata } from '../message/rdata.ts';
import type { RRset } from '../message/rrset.ts';
import { CLASS, TYPE } from '../message/type.ts';
import { fullBudget } from '../recursion/budget.ts';
import type { Outcome } from '../recursion/frame.ts';
import { type Reply, scrub } from '../recursion/scrub.ts';
import { anchor, generateZoneKey, keySets } from './keys.ts';
import { createZoneSigner } from './sign.ts';
import { NOW, samples } from './signed.fixture.ts';
import { type Found, type Validated, validate } from './validate.ts';

const { crypto } = nodeRuntime();
const { check, settle, trust } = samples(crypto);
const key = await generateZoneKey(crypto);
const EDNS = { udpSize: 4096, version: 0, dnssecOk: true, options: [] };
const CONTEXT = { now: NOW, clockIsSet: true, followAliases: false };

const ANCHOR = anchor(crypto, APEX, [key]).ds.trim();
const known = new Map([[`${TYPE.DNSKEY} ${APEX.key}`, signedKeys()]]);

/** The zone's keys, as they would be fetched. */
function signedKeys(): Outcome {
  const [dnskeys] = keySets(crypto, APEX, [key]);
  if (dnskeys === undefined) throw new Error('no keys');
  const time = { now: NOW, clockIsSet: true };
  const signatures = createZoneSigner(crypto, APEX, [key]).signatures(dnskeys, time);
  return { kind: 'answer', rrset: { ...dnskeys, signatures }, proof: [] };
}

const label = fc.constantFrom('a', 'b', 'w', '*', 'sub', 'd');
const relative = fc.array(label, { minLength: 1, maxLength: 3 }).map((labels) => labels.join('.'));
const line = fc
  .tuple(relative, fc.constantFrom('A 100.64.0.1', 'TXT words', 'AAAA 7', 'CNAME a', 'DNAME b.a'))
  .map(([owner, data]) => `${owner} ${data}`);
const lines = fc.array(line, { maxLength: 8 });
const asked = fc.tuple(
  fc.oneof(relative, fc.constant('')),
  fc.constantFrom('A', 'TXT', 'AAAA', 'CNAME', 'DS', 'MX', 'NS', 'DNSKEY', 'SOA', 'NSEC'),
);

type Zone = { ask(name: string, type: string): { query: Message; reply: Message } };

/** A zone of the lines that can be together, delegation `cut.` included. */
function zoneOf(texts: readonly string[]): Zone | undefined {
  const cut = ['cut NS ns.example.', 'signed NS ns.example.', 'signed DS -'];
  const records = [...texts, ...cut].map((text) => sampleRecord(text));
  const nameServers = [sampleName('ns.example.')];
  const built = buildZone({ apex: APEX, serial: 7, ttl: 300, nameServers, records });
  if (!built.ok) return undefined;
  const authority = createAuthority({ zone: built.zone, keys: [key], crypto });
  return {
    ask(name, type) {
      const query = sampleQuery(name, type, { edns: EDNS });
      return { query, reply: authority.answer(query, CONTEXT) };
    },
  };
}

/** What the recursor makes of a reply for the first name of its chain. */
function foundIn(reply: Reply): Found | undefined {
  switch (reply.kind) {
    case 'answer':
    case 'alias': {
      const [first, second] = reply.aliases;
      if (first === undefined) {
        return reply.kind === 'answer' ? { ...reply, kind: 'answer' } : undefined;
      }
      const isDname = first.type === TYPE.DNAME && second !== undefined;
      const rrsets = isDname ? [first, second] : [first];
      return { kind: 'alias', rrsets, target: APEX, proof: reply.proof };
    }
    case 'no-data':
    case 'no-name':
      return reply;
    default:
      return undefined;
  }
}

/** Judges a reply to a question; undefined when the scrubber leaves nothing to judge. */
function judge(query: Message, reply: Message, given = check()): Validated | undefined {
  const [question] = query.questions;
  if (question === undefined) throw new Error('no question');
  const { name, type } = question;
  const about = { name, type, zone: APEX, isForwarder: false, allowsSpecial: true };
  const found = foundIn(scrub(reply, about));
  if (found === undefined) return undefined;
  const trusted = trust([ANCHOR], known, { check: given });
  return settle(() => validate({ name, type, class: CLASS.IN }, found, trusted), given);
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

test('where signatures are verified changes neither the verdict nor what it costs', () => {
  let wrong = 0;
  const limits = fc.record({
    signatures: fc.oneof(fc.constant(160), fc.nat(8)),
    failedSignatures: fc.oneof(fc.constant(16), fc.nat(2)),
  });
  fc.assert(
    fc.property(
      lines,
      asked,
      fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), { maxLength: 2 }),
      limits,
      (texts, [name, type], places, limited) => {
        const zone = zoneOf(texts);
        fc.pre(zone !== undefined);
        const { query, reply } = zone.ask(name, type);
        fc.pre(isJudged(reply));
        const wire = encodeMessage(reply);
        const start = 12 + (query.questions[0]?.name.wire.length ?? 0) + 4;
        for (const [at, change] of places) {
          const index = start + (at % (wire.length - start));
          wire[index] = (wire[index] ?? 0) ^ change;
        }
        const decoded = decodeMessage(wire);
        if (!decoded.ok) return;
        const [here, elsewhere] = [Number.POSITIVE_INFINITY, 0].map((costly) => {
          const given = check({ costly, purse: { budget: { ...fullBudget(0), ...limited } } });
          const step = judge(query, decoded.message, given);
          const { signatures, failedSignatures } = given.purse.budget;
          const { exhausted } = given.purse;
          return { step, signatures, failedSignatures, exhausted };
        });
        expect(elsewhere).toEqual(here);
        if (said(here?.step) === undefined) wrong++;
      },
    ),
    { numRuns: 300 },
  );
  // Where all is secure nothing was compared.
  expect(wrong).toBeGreaterThan(20);
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
