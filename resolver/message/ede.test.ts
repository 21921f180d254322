import { expect, test } from 'vitest';
import { encodeExtendedError, extendedError, type Reason } from './ede.ts';

test.each<{ reason: Reason; code: number; why: string }>([
  { reason: 'no-reachable-authority', code: 22, why: 'RFC 8914 §4.23' },
  { reason: 'failure-cached', code: 13, why: 'RFC 8914 §4.14' },
  { reason: 'recursion-not-desired', code: 20, why: 'RFC 8914 §4.21' },
  { reason: 'unsupported-type', code: 21, why: 'RFC 8914 §4.22' },
  { reason: 'bitmap-type', code: 30, why: 'Invalid Query Type, RFC 9824 §3.5' },
  { reason: 'local-zone', code: 29, why: 'Synthesized, IANA registry' },
  { reason: 'unsupported-algorithm', code: 1, why: 'RFC 8914 §4.2' },
  { reason: 'unsupported-digest', code: 2, why: 'RFC 8914 §4.3' },
  { reason: 'chain-unreachable', code: 5, why: 'Indeterminate, RFC 8914 §4.6' },
  { reason: 'signature-invalid', code: 6, why: 'Bogus, RFC 8914 §4.7' },
  { reason: 'signature-expired', code: 7, why: 'RFC 8914 §4.8' },
  { reason: 'signature-not-yet-valid', code: 8, why: 'RFC 8914 §4.9' },
  { reason: 'dnskey-missing', code: 9, why: 'RFC 8914 §4.10' },
  { reason: 'signatures-missing', code: 10, why: 'RFC 8914 §4.11' },
  { reason: 'no-zone-key', code: 11, why: 'RFC 8914 §4.12' },
  { reason: 'nsec-missing', code: 12, why: 'RFC 8914 §4.13' },
  { reason: 'too-many-iterations', code: 27, why: 'IANA registry, RFC 9276 §3.2' },
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
