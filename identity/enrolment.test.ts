import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fakeRuntime } from '#runtime/fake';
import { type Codes, createCodes } from './codes.ts';
import { ENROLMENT, openEnrolment, type PendingEnrolment, sealEnrolment } from './enrolment.ts';

const { crypto, random } = fakeRuntime();
const NOW = 1_800_000_000;
const from = '192.0.2.7';

function invite(): { codes: Codes<string>; code: string } {
  const codes = createCodes<string>(crypto, random);
  const { code } = codes.issue({ purpose: ENROLMENT, ttlSeconds: 600, data: 'by alice' }, NOW);
  return { codes, code };
}

function ask(code: string, request: unknown = { name: 'laptop' }): PendingEnrolment {
  const sealed = sealEnrolment(crypto, random, { code, request });
  if (!sealed.ok) throw new Error(sealed.reason);
  return sealed.pending;
}

const receive = (codes: Codes<string>, request: Uint8Array, now = NOW) =>
  openEnrolment(crypto, random, codes, { request, from, now });

function accept(codes: Codes<string>, request: Uint8Array) {
  const opened = receive(codes, request);
  if (!opened.ok) throw new Error(opened.reason);
  return opened;
}

test('any JSON goes there and back', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (question, answer) => {
      const { codes, code } = invite();
      const pending = ask(code, question);
      const opened = accept(codes, pending.request);
      // JSON itself turns -0 into 0.
      expect(opened.request).toEqual(JSON.parse(JSON.stringify(question)));
      expect(opened.data).toBe('by alice');
      const reply = JSON.parse(JSON.stringify(answer)) as unknown;
      expect(pending.open(opened.reply(answer))).toEqual({ ok: true, reply });
    }),
    { numRuns: 50 },
  );
});

test('nothing of the request or of the code can be read on the way', () => {
  const { code } = invite();
  const wire = Buffer.from(ask(code, { name: 'desktop-of-alice' }).request).toString('latin1');
  expect(wire).not.toContain('desktop');
  expect(wire).not.toContain(code);
});

test('a replayed request finds its code used', () => {
  const { codes, code } = invite();
  const { request } = ask(code);
  accept(codes, request);
  expect(receive(codes, request)).toEqual({ ok: false, reason: 'used' });
  expect(receive(codes, ask(code).request)).toEqual({ ok: false, reason: 'used' });
});

test('a request is no reply, and a reply no request', () => {
  const { codes, code } = invite();
  const pending = ask(code);
  const { reply } = accept(codes, pending.request);
  const refused = { ok: false, reason: 'not-authentic' };
  expect(pending.open(pending.request)).toEqual(refused);
  expect(pending.open(pending.request.slice(16))).toEqual(refused);
  const fresh = invite();
  const handle = ask(fresh.code).request.slice(0, 16);
  const turned = Uint8Array.of(...handle, ...reply({ name: 'x' }));
  expect(receive(fresh.codes, turned)).toEqual(refused);
});

test('a reply answers one request only, even under the same code', () => {
  const { codes, code } = invite();
  const [first, second] = [ask(code), ask(code)];
  const { reply } = accept(codes, first.request);
  expect(second.open(reply(1))).toEqual({ ok: false, reason: 'not-authentic' });
  expect(first.open(reply(1)).ok).toBe(true);
});

test('any changed bit is noticed, and does not use up the code', () => {
  const { codes, code } = invite();
  const { request } = ask(code);
  fc.assert(
    fc.property(fc.nat(request.length * 8 - 1), (bit) => {
      const changed = request.slice();
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      // Each try a minute later: ten failures a minute are all that anybody gets.
      const opened = openEnrolment(crypto, random, codes, {
        request: changed,
        from: `${bit}`,
        now: NOW,
      });
      expect(opened.ok).toBe(false);
    }),
  );
  expect(receive(codes, request).ok).toBe(true);
});

test.each([
  { request: new Uint8Array(0), reason: 'malformed', why: 'empty' },
  { request: new Uint8Array(15), reason: 'malformed', why: 'no whole handle' },
  { request: new Uint8Array(16), reason: 'unknown', why: 'a handle nobody has' },
  { request: new Uint8Array(20_000), reason: 'too-large', why: 'too long' },
])('a request is $reason: $why', ({ request, reason }) => {
  expect(receive(invite().codes, request)).toEqual({ ok: false, reason });
});

test('a request that ends after the handle of an open code is malformed', () => {
  const { codes, code } = invite();
  const handle = ask(code).request.slice(0, 16);
  expect(receive(codes, handle)).toEqual({ ok: false, reason: 'malformed' });
});

test('an expired code, and one for signing in, add no device', () => {
  const { codes, code } = invite();
  expect(receive(codes, ask(code).request, NOW + 600)).toEqual({ ok: false, reason: 'expired' });
  const other = codes.issue({ purpose: 'sign-in', ttlSeconds: 600, data: '' }, NOW).code;
  expect(receive(codes, ask(other).request)).toEqual({ ok: false, reason: 'unknown' });
});

test('who sends ten requests that do not fit waits a minute', () => {
  const { codes, code } = invite();
  const { request } = ask(code);
  const forged = Uint8Array.of(...request.slice(0, 16), ...new Uint8Array(40));
  for (let attempt = 0; attempt < 10; attempt += 1) receive(codes, forged);
  expect(receive(codes, request)).toEqual({ ok: false, reason: 'too-many-attempts' });
  expect(receive(codes, request, NOW + 60).ok).toBe(true);
});

test('a mistyped code and a request too large are told before anything is sent', () => {
  const { code } = invite();
  const seal = (given: { code: string; request: unknown }) => sealEnrolment(crypto, random, given);
  expect(seal({ code: 'oops', request: {} })).toEqual({ ok: false, reason: 'mistyped' });
  const huge = { name: 'x'.repeat(20_000) };
  expect(seal({ code, request: huge })).toEqual({ ok: false, reason: 'too-large' });
});
