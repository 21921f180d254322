import { expect, test } from 'vitest';
import { sampleQuery } from '../authority/zone.fixture.ts';
import { RCODE } from '../message/type.ts';
import { bare, respond } from './response.ts';

const EDNS = { udpSize: 1232, version: 0, dnssecOk: false, options: [] };

test.each([
  {
    secure: true,
    ad: true,
    dnssecOk: undefined,
    is: true,
    why: 'AD in the query asks for it (RFC 6840 §5.7)',
  },
  { secure: true, ad: false, dnssecOk: true, is: true, why: 'so does DO' },
  { secure: true, ad: false, dnssecOk: false, is: false, why: 'EDNS alone does not' },
  { secure: true, ad: false, dnssecOk: undefined, is: false, why: 'nobody asked' },
  { secure: false, ad: true, dnssecOk: true, is: false, why: 'not everything was validated (I1)' },
])('AD is $is: $why', ({ secure, ad, dnssecOk, is }) => {
  const edns = dnssecOk === undefined ? undefined : { ...EDNS, dnssecOk };
  const query = sampleQuery('desktop', 'A', { authenticData: ad, edns });
  const response = respond(query, { ...bare(RCODE.NOERROR), isSecure: secure });
  expect(response.authenticData).toBe(is);
});

test('CD comes back as it was (RFC 4035 §3.2.2)', () => {
  const query = sampleQuery('desktop', 'A', { checkingDisabled: true });
  expect(respond(query, bare(RCODE.NOERROR)).checkingDisabled).toBe(true);
});
