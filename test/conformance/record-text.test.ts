/** Records as text beside BIND: what it reads from our text are the octets that we meant. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseRecord, printRecord, type ResourceRecord } from '#resolver';
import { RuntimeError } from '#runtime';
import { nodeRuntime } from '#runtime/node';
import { OURS, recordOf } from '../fuzz/messages.ts';

const runtime = nodeRuntime({ log: () => undefined });
const CHECKER = 'named-rrchecker';

/** The octets BIND makes of a record's text, as hexadecimal; undefined when it refuses the text. */
async function readByBind(record: ResourceRecord): Promise<string | undefined> {
  const [, , ...words] = printRecord(record).split(' ');
  const stdin = new TextEncoder().encode(`${words.join(' ')}\n`);
  try {
    const { exitCode, stdout } = await runtime.exec(CHECKER, ['-u'], { stdin });
    return exitCode === 0 ? stdout.trim().split(/\s+/).slice(4).join('').toLowerCase() : undefined;
  } catch (thrown) {
    if (!(thrown instanceof RuntimeError) || thrown.code !== 'not-found') throw thrown;
    throw new Error(`${CHECKER} is missing: install the Debian package bind9-utils`);
  }
}

const recordFrom = (text: string): ResourceRecord => {
  const parsed = parseRecord(`a.example. 60 IN ${text}`);
  if (!parsed.ok) throw new Error(`${parsed.reason}: ${text}`);
  return parsed.record;
};

test.each([
  'A 192.0.2.1',
  'AAAA 2001:db8::1:0:0:1',
  'NS a\\.b.\\000\\255\\;\\@.example.',
  'SOA a. b. 4294967295 2h 10m 1d 60',
  'HINFO "PC" ""',
  'MINFO a. b.',
  'MX 10 a.',
  'TXT "a\\"b\\\\\\000\\233;()" ""',
  'RP a. .',
  'AFSDB 1 a.',
  'X25 "311061700956"',
  'ISDN "150862028003217" "004"',
  'RT 2 a.',
  'NSAP 0x47.000580',
  'SIG NXT 13 1 0 20260101000000 20251231235959 65535 a. AAECAw==',
  'PX 10 a. b.',
  'GPOS "-32.6882" "116.8652" "10.0"',
  'LOC 42 21 54 N 71 06 18 W -24m 30m',
  'LOC 0 0 0.001 S 180 0 0 E 42849672.95m 0.00m 90000000.00m 0.01m',
  'SRV 0 5 5060 a.',
  'NAPTR 100 10 "u" "E2U+sip" "!^.*$!sip:a@b!" .',
  'KX 10 a.',
  'CERT PKIX 0 13 AAECAw==',
  'DNAME a.',
  'APL 1:192.168.32.0/21 !1:192.168.38.0/28 2:ff00::/8',
  'DS 60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118',
  'SSHFP 2 1 123456789abcdef67890123456789abcdef67890',
  'IPSECKEY 10 0 2 . AAECAw==',
  'IPSECKEY 10 1 2 192.0.2.38 AAECAw==',
  'IPSECKEY 10 2 2 2001:db8::1 AAECAw==',
  'IPSECKEY 10 3 2 a. AAECAw==',
  'RRSIG A 5 3 86400 20030322173103 20030220173103 2642 example.com. AAECAw==',
  'NSEC host.example.com. A MX RRSIG NSEC TYPE1234',
  'DNSKEY 256 3 5 AQPSKmynfzW4kyBv015MUG2DeIQ3Cbl+BBZH4b/0PY1kxkmvHjcZc8no',
  'DHCID AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA=',
  'NSEC3 1 1 12 AABBCCDD 2t7b4g4vsa5smi47k61mv5bv1a22bojr NS SOA MX RRSIG DNSKEY NSEC3PARAM',
  'NSEC3PARAM 1 0 0 -',
  'TLSA 0 0 1 D2ABDE24',
  'SMIMEA 3 1 1 D2ABDE24',
  'HIP 2 200100107B1A74DF365639CC39F1D578 AwEAAbdx rvs1.a. rvs2.a.',
  'CDS 0 0 0 00',
  'CDNSKEY 0 3 0 AA==',
  'OPENPGPKEY AAECAw==',
  'CSYNC 66 3 A NS AAAA',
  'ZONEMD 2018031500 1 240 FEBE3D4CFEBE3D4CFEBE3D4C',
  'SPF "v=spf1 -all"',
  'NID 10 0014:4fff:ff20:ee64',
  'L32 10 10.1.2.0',
  'L64 10 2001:0db8:1140:1000',
  'LP 10 a.',
  'EUI48 00-00-5e-00-53-2a',
  'EUI64 00-00-5e-ef-10-00-00-2a',
  'URI 10 1 "ftp://a/b c"',
  'CAA 128 issue ""',
  'CAA 0 issue "ca.example.net; account=1"',
  'AMTRELAY 10 0 1 203.0.113.15',
  'AMTRELAY 128 1 3 a.',
  'AMTRELAY 10 0 0 .',
  'SVCB 0 a.',
  'SVCB 16 foo.example.org. (alpn=h2,h3-19 mandatory=ipv4hint,alpn ipv4hint=192.0.2.1)',
  'SVCB 16 foo.example.org. alpn="f\\\\\\\\oo\\\\,bar,h2"',
  'HTTPS 1 . alpn=h2 no-default-alpn port=443 ech=AAEC ipv6hint=2001:db8::1 key667="a b\\"\\200"',
  'SVCB 1 . alpn=h2 dohpath=/dns-query{?dns}',
  'TYPE65280 \\# 3 010203',
])('%s', async (text) => {
  const record = recordFrom(text);
  expect(await readByBind(record)).toBe(Buffer.from(record.rdata).toString('hex'));
});

test('whatever BIND takes, it takes for the same octets', async () => {
  await fc.assert(
    fc.asyncProperty(recordOf(OURS), async (record) => {
      const read = await readByBind(record);
      // It knows rules of content that we leave to others, such as the lengths of digests.
      if (read === undefined) return;
      expect(read).toBe(Buffer.from(record.rdata).toString('hex'));
    }),
    { numRuns: 150 },
  );
});
