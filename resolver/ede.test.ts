import { expect, test } from 'vitest';
import { encodeExtendedError, extendedError, type Reason } from './ede.ts';

test.each<{ reason: Reason; code: number; why: string }>([
  { reason: 'no-reachable-authority', code: 22, why: 'RFC 8914 §4.23' },
  { reason: 'failure-cached', code: 13, why: 'RFC 8914 §4.14' },
  { reason: 'recursion-not-desired', code: 20, why: 'RFC 8914 §4.21' },
  { reason: 'unsupported-type', code: 21, why: 'RFC 8914 §4.22' },
  { reason: 'local-zone', code: 29, why: 'Synthesized, IANA registry' },
])('$reason is $code: $why', ({ reason, code }) => {
  expect(extendedError(reason).code).toBe(code);
});

test.each([
  { text: 'no', octets: [0, 18, 0x6e, 0x6f], why: 'code and text' },
  { text: '', octets: [0, 18], why: 'text is optional' },
])('$why', ({ text, octets }) => {
  expect([...encodeExtendedError({ code: 18, text })]).toEqual(octets);
});

test('long text is cut between characters', () => {
  const data = encodeExtendedError({ code: 0, text: 'ü'.repeat(500) });
  expect(data.length).toBeLessThanOrEqual(242);
  expect(new TextDecoder('utf-8', { fatal: true }).decode(data.subarray(2))).toMatch(/^ü+$/);
});
