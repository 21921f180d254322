import { expect, test } from 'vitest';
import { readBareConfig } from './bare-config.ts';

const DS = '. IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D';
const SPACED =
  'lab.\tDS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D084 58E880409BBC683457104237\tC7F8EC8D';
const KEY = 'example. 3600 IN DNSKEY 257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=';

const PIN = `${'A'.repeat(43)}=`;

/** Of most of the world's root servers. */
const ADDRESSES =
  '198.41.0.4 170.247.170.2 192.33.4.12 199.7.91.13 192.203.230.10 192.5.5.241 192.112.36.4';
const WORLD = [{ name: 'a.', addresses: ADDRESSES.split(' ') }];

const LISTEN = ['127.0.0.1:5353'];
const AT = { address: '127.0.0.1', port: 5353 };

test.each([
  { json: { listen: '127.0.0.1:5353' }, options: { listen: [AT] }, why: 'one needs no list' },
  { json: { listen: [AT] }, options: { listen: [AT] }, why: 'address and port apart' },
  {
    json: { listen: ['::1', { address: '127.0.0.2' }] },
    options: {
      listen: [
        { address: '::1', port: 53 },
        { address: '127.0.0.2', port: 53 },
      ],
    },
    why: 'port 53 unless told',
  },
  {
    json: { listen: ['127.0.0.1:0', '[::1]:0', '::1:0', '127.0.0.1:0'] },
    options: {
      listen: [
        { address: '127.0.0.1', port: 0 },
        { address: '::1', port: 0 },
        { address: '::1:0', port: 53 },
        { address: '127.0.0.1', port: 0 },
      ],
    },
    why: 'a port that the system chooses, as often as one likes',
  },
  { json: {}, options: { time: 'wall', validate: true }, why: 'everything goes by the wall clock' },
  { json: { source: '127.0.0.9' }, options: { sources: ['127.0.0.9'] }, why: 'where to ask from' },
  {
    json: { rootHints: [{ name: 'ns.', addresses: '127.0.0.2' }] },
    options: { rootHints: [{ name: 'ns.', addresses: ['127.0.0.2'] }] },
    why: 'a private root',
  },
  {
    json: { trustAnchors: [DS, SPACED, KEY] },
    options: { trustAnchors: [DS, SPACED, KEY], validate: true },
    why: 'DS or DNSKEY, with blanks and tabs in the digest',
  },
  { json: { trustAnchors: [] }, options: { validate: false }, why: 'no anchor, no validation' },
  {
    json: { qnameMinimisation: false, caseRandomisation: false, ednsBufferSize: 4096 },
    options: { minimise: false, randomiseCase: false, ednsBufferSize: 4096 },
    why: 'switches',
  },
  {
    json: { rfc5011: false, harden: true },
    options: {},
    why: 'how it is anyway may be said',
  },
  { json: { keyTagSignal: true }, options: { keyTagSignal: true }, why: 'RFC 8145' },
  { json: { datapath: 'auto' }, options: { datapath: 'auto' }, why: 'threads that repeat' },
  {
    json: { serveStale: false, prefetch: false, aggressiveNsec: false },
    options: { serveStale: false, prefetch: false, aggressiveNsec: false },
    why: 'what suites switch off',
  },
  {
    json: { forward: '192.0.2.1' },
    options: { routes: [{ zone: '.', kind: 'forward', servers: [{ address: '192.0.2.1' }] }] },
    why: 'everything forwarded',
  },
  {
    json: { forward: { '.': ['192.0.2.1'], corp: '10.0.0.1:5353' } },
    options: {
      routes: [
        { zone: '.', kind: 'forward', servers: [{ address: '192.0.2.1', port: 53 }] },
        { zone: 'corp', kind: 'forward', servers: [{ address: '10.0.0.1', port: 5353 }] },
      ],
    },
    why: 'zone by zone',
  },
  {
    json: { forward: { addresses: '192.0.2.1', fallback: true } },
    options: {
      routes: [{ zone: '.', kind: 'forward', servers: [{ address: '192.0.2.1' }], fallback: true }],
    },
    why: 'and the tree when it fails',
  },
  {
    json: { forward: { corp: { address: '192.0.2.1', tls: { name: 'dns.corp', pins: [PIN] } } } },
    options: {
      routes: [
        {
          ...{ zone: 'corp', kind: 'forward', fallback: false },
          servers: [{ address: '192.0.2.1', port: 853, tls: { name: 'dns.corp', pins: [PIN] } }],
        },
      ],
    },
    why: 'over TLS, to whom we know',
  },
  {
    json: { forward: [{ address: '::1', port: 8443, https: 'https://dns.corp/q' }, '::1'] },
    options: {
      routes: [
        {
          ...{ zone: '.', kind: 'forward' },
          servers: [
            { address: '::1', port: 8443, https: 'https://dns.corp/q' },
            { address: '::1', port: 53 },
          ],
        },
      ],
    },
    why: 'over HTTPS, beside one in the clear',
  },
  { json: { cookies: false }, options: { cookies: false }, why: 'no cookies' },
  {
    json: { stub: { 'lab.': { addresses: ['192.0.2.1'], trustAnchors: [SPACED] } } },
    options: {
      routes: [{ zone: 'lab.', kind: 'stub', servers: [{ address: '192.0.2.1', port: 53 }] }],
      trustAnchors: [SPACED],
    },
    why: 'a zone with servers and an anchor of its own',
  },
  {
    json: { stub: { 'lab.': { addresses: '::1', trustAnchors: [SPACED] } }, trustAnchors: [] },
    options: { validate: true, negativeTrustAnchors: ['.'] },
    why: 'only the stub is trusted',
  },
  { json: { priming: true }, options: { priming: true }, why: 'the root says who it is' },
  {
    json: { dns64: '64:ff9b::/96' },
    options: { dns64: { prefix: { length: 96 } } },
    why: 'a NAT64',
  },
  {
    json: { dns64: { discover: '192.0.2.1', excluded: '2001:db8::/32' } },
    options: { dns64: { discover: [{ address: '192.0.2.1' }], excluded: [{ length: 32 }] } },
    why: 'a NAT64 that the network knows of',
  },
  { json: { rebindProtection: true }, options: { rebindProtection: { except: [] } }, why: 'on' },
  {
    json: { rebindProtection: { except: ['corp'] } },
    options: { rebindProtection: { except: ['corp'] } },
    why: 'but for one’s own zone',
  },
])('$json: $why', ({ json, options }) => {
  const read = readBareConfig('f', JSON.stringify({ listen: LISTEN, ...json }));
  expect(read).toMatchObject({ config: { options } });
});

test.each([
  { json: '{', problem: /^not JSON: /, why: 'no JSON' },
  { json: '[]', problem: /object of settings/, why: 'no object' },
  { json: 'null', problem: /object of settings/, why: 'nothing' },
  { json: '{}', problem: /^listen: /, why: 'nowhere to listen' },
  { json: '{"listen":[]}', problem: /^listen: the list is empty/, why: 'nowhere either' },
  {
    json: '{"listen":"::1","forward":{"address":"::1","tls":{"pin":[]}}}',
    problem: /^forward\["\."\]\.addresses.0.tls.pin: /,
    why: 'a typo where trust is concerned',
  },
  {
    json: '{"listen":"::1","forward":{"address":"::1","tls":{"pins":["abc"]}}}',
    problem: /^forward\["\."\]\.addresses.0.tls.pins.0: "abc" is not a SHA-256/,
    why: 'a pin that fits nothing',
  },
  {
    json: '{"listen":"::1","forward":{"address":"::1","tls":{"pins":[]}}}',
    problem: /^forward\["\."\]\.addresses.0.tls.pins: the list is empty/,
    why: 'nobody would fit',
  },
  {
    json: '{"listen":"::1","forward":{"address":"::1","https":"http://a/"}}',
    problem: /^forward\["\."\]\.addresses.0.https: "http:..a." is not an https URL/,
    why: 'in the clear',
  },
  {
    json: '{"listen":"::1","forward":{"address":"dns.corp","tls":{}}}',
    problem: /^forward\["\."\]\.addresses.0.address: "dns.corp" is not an address/,
    why: 'a name that would have to be resolved first',
  },
  {
    json: '{"listen":"::1","forward":{"address":"::1","port":0}}',
    problem: /^forward\["\."\]\.addresses.0: nobody can be asked at port 0/,
    why: 'any port is for listening',
  },
  {
    json: '{"listen":"localhost:53"}',
    problem: /^listen.0: "localhost:53" is not /,
    why: 'a name',
  },
  {
    json: '{"listen":{"address":"::1","prt":1}}',
    problem: /^listen.0: .* is not /,
    why: 'a typo inside',
  },
  {
    json: '{"listen":"127.0.0.1","rootHint":[]}',
    problem: /^unknown setting 'rootHint'; accepted: listen, .*rootHints/,
    why: 'the accepted keys are named',
  },
  {
    json: '{"listen":"127.0.0.1","rootHints":[]}',
    problem: /^rootHints: the list is empty/,
    why: 'no root',
  },
  {
    json: '{"listen":"127.0.0.1","rootHints":[{"name":"ns."}]}',
    problem: /^rootHints.0.addresses/,
    why: 'a root server without address',
  },
  {
    json: '{"listen":"127.0.0.1","rootHints":[{"name":"ns.","addresses":["ns"]}]}',
    problem: /^rootHints.0.addresses.0: "ns" is not an address/,
    why: 'a name for an address',
  },
  {
    json: '{"listen":"127.0.0.1","trustAnchors":[". DS 1 8 2 ABC"]}',
    problem: /^trustAnchors.0: ". DS 1 8 2 ABC" is not a DS or DNSKEY/,
    why: 'half an octet',
  },
  {
    json: '{"listen":"127.0.0.1","trustAnchors":["www. A 192.0.2.1"]}',
    problem: /^trustAnchors.0: /,
    why: 'another record',
  },
  {
    json: '{"listen":"127.0.0.1","negativeTrustAnchors":["a..b"]}',
    problem: /^negativeTrustAnchors.0: /,
    why: 'no name',
  },
  {
    json: '{"listen":"127.0.0.1","ipv4":"no"}',
    problem: /^ipv4: true or false/,
    why: 'not a switch',
  },
  {
    json: '{"listen":"127.0.0.1","ipv4":false,"ipv6":false}',
    problem: /both be off/,
    why: 'no way out',
  },
  {
    json: '{"listen":"127.0.0.1","ednsBufferSize":100}',
    problem: /^ednsBufferSize: .*512/,
    why: 'less than RFC 1035 has',
  },
  {
    json: '{"listen":"127.0.0.1","cacheMinTtl":60,"cacheMaxTtl":30}',
    problem: /cacheMinTtl is greater/,
    why: 'bounds crossed',
  },
  {
    json: '{"listen":"127.0.0.1","cacheMaxTtl":100000}',
    problem: /^cacheMaxTtl: at most 86400/,
    why: 'longer than anything is kept',
  },
  {
    json: '{"listen":"127.0.0.1","source":["127.0.0.2","127.0.0.3"]}',
    problem: /one address of each family/,
    why: 'two to choose from',
  },
  {
    json: '{"listen":["127.0.0.1:5353",{"address":"127.0.0.1","port":5353}]}',
    problem: /^listen names the same address and port twice/,
    why: 'otherwise it would be told to stop itself',
  },
  {
    json: `{"listen":${'['.repeat(20_000)}${']'.repeat(20_000)}}`,
    problem: /^listen.0: a list is not "address:port"/,
    why: 'deeper than a stack',
  },
  {
    json: `{"listen":{"address":${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}}}`,
    problem: /^listen.0: {"address":"…"} is not "address:port"/,
    why: 'and of objects',
  },
  {
    json: `{"listen":"127.0.0.1","source":"${'x'.repeat(200)}"}`,
    problem: /^source.0: "x{99}… is not an address/,
    why: 'only the beginning is told',
  },
  {
    json: '{"listen":"127.0.0.1","source":"::1]@[::2"}',
    problem: /^source.0: "::1\]@\[::2" is not an address/,
    why: 'no part of a URL',
  },
  {
    json: '{"listen":"127.0.0.1","rootHints":{}}',
    problem: /^rootHints: a file of root servers, or a list/,
    why: 'neither',
  },
  {
    json: '{"listen":"127.0.0.1","stub":[]}',
    problem: /^stub: an object of zones expected/,
    why: 'a list has no zones',
  },
  {
    json: '{"listen":"127.0.0.1","zones":["z"]}',
    problem: /^zones: an object of zones expected/,
    why: 'nor here',
  },
  {
    json: '{"listen":"127.0.0.1","stub":{"lab":{"addresses":"::1","trustAnchors":"x"}}}',
    problem: /^stub.lab.trustAnchors: a list of DS or DNSKEY records expected/,
    why: 'no list',
  },
  {
    json: '{"listen":"127.0.0.1","rfc5011":true,"trustAnchors":[]}',
    problem: /^rfc5011: .*no anchor of the root/,
    why: 'nothing to begin with',
  },
  {
    json: '{"listen":"127.0.0.1","rfc5011":true,"rootHints":[{"name":"ns.","addresses":"::1"}]}',
    problem: /^rfc5011: .*no anchor of the root/,
    why: 'a private root has private anchors',
  },
  {
    json: '{"listen":"127.0.0.1","anchorFile":"a"}',
    problem: /^anchorFile is for rfc5011/,
    why: 'a file for nothing',
  },
  {
    json: '{"listen":"127.0.0.1","harden":false}',
    problem: /^harden: .*cannot be switched off/,
    why: 'always on',
  },
  {
    json: '{"listen":"127.0.0.1","forward":{"corp":[]}}',
    problem: /^forward.corp.addresses: the list is empty/,
    why: 'a zone that nobody is asked about',
  },
  {
    json: '{"listen":"127.0.0.1","forward":{"a..b":"::1"}}',
    problem: /^forward\["a\.\.b"\]: not a domain name/,
    why: 'no zone',
  },
  {
    json: '{"listen":"127.0.0.1","stub":{"lab":{"addresses":"::1","trustAnchor":[]}}}',
    problem: /^stub.lab.trustAnchor: /,
    why: 'a typo in a stub',
  },
  {
    json: `{"listen":"127.0.0.1","stub":{"other":{"addresses":"::1","trustAnchors":["${DS}"]}}}`,
    problem: /^stub: an anchor there is for the zone itself/,
    why: 'an anchor of somebody else',
  },
  {
    json: '{"listen":"127.0.0.1","stub":{"lab":"::1"},"forward":{"LAB.":"::1"}}',
    problem: /the same zone twice/,
    why: 'two ways for one zone',
  },
  {
    json: '{"listen":"127.0.0.1","dns64":{"excluded":"2001:db8::/32"}}',
    problem: /^dns64: either "prefix" or "discover"/,
    why: 'nowhere to have it from',
  },
  {
    json: '{"listen":"127.0.0.1","dns64":"64:ff9b::/95"}',
    problem: /^dns64: "64:ff9b::\/95" is not a prefix/,
    why: 'no such length',
  },
  {
    json: '{"listen":"127.0.0.1","rebindProtection":"yes"}',
    problem: /^rebindProtection: true, false or/,
    why: 'neither on nor off',
  },
  {
    json: '{"listen":"127.0.0.1","rebindProtection":{"except":[""]}}',
    problem: /^rebindProtection: true, false or/,
    why: 'an empty name',
  },
])('$json: $why', ({ json, problem }) => {
  expect(readBareConfig('f', json)).toEqual({
    problems: [{ source: 'f', message: expect.stringMatching(problem) }],
  });
});

test.each([
  {
    json: '{"listen":"::1",\n"ipv4":\n"no"}',
    problem: 'ipv4: true or false expected (line 3)',
    why: 'a wrong value',
  },
  {
    json: '{"listen":"::1",\n\n"ipv6":true,"hosts":7}\n',
    problem: 'hosts: a path expected (line 3)',
    why: 'beside a good one',
  },
  {
    json: '{"listen":"::1",\n"forward":{"address":"::1",\n"tls":{"pins":[]}}}',
    problem: 'forward["."].addresses.0.tls.pins: the list is empty: no key would fit (line 3)',
    why: 'where less is written than is meant',
  },
  {
    json: '{"listen":\n["::1",\n"x"]}',
    problem: 'listen.1: "x" is not "address:port" or {"address", "port"} (line 3)',
    why: 'in a list',
  },
  {
    json: '{"listen":"::1","listen":"::2"}',
    problem: 'listen: given twice',
    why: 'otherwise one would be passed over',
  },
  {
    json: '{"listen":"::1",\n"stub":{"lab":"::1",\n"lab":"::2"}}',
    problem: 'stub.lab: given twice (line 3)',
    why: 'a zone, too',
  },
])('a file of several lines has $problem: $why', ({ json, problem }) => {
  expect(readBareConfig('f', json)).toEqual({ problems: [{ source: 'f', message: problem }] });
});

test('an unknown setting is on its line', () => {
  const read = readBareConfig('f', '{\n"listen":"::1",\n"lisen":"::1"\n}');
  expect('problems' in read && read.problems[0]?.message).toMatch(
    /^unknown setting 'lisen' \(line 3\); accepted: /,
  );
});

test('all problems are told, not just the first', () => {
  const json = '{"listen":"x","ipv4":1,"a":1,"b":2,"trustAnchors":["y","z"]}';
  const read = readBareConfig('f', json);
  expect('problems' in read && read.problems.length).toBe(6);
});

test.each([
  { json: {}, file: undefined, why: 'not followed' },
  { json: { rfc5011: true }, file: 'file.anchors', why: 'beside the settings' },
  { json: { rfc5011: true, anchorFile: '/var/a' }, file: '/var/a', why: 'where it is wanted' },
  { json: { rfc5011: true, rootHints: WORLD }, file: 'file.anchors', why: 'the world’s, listed' },
])('the root’s keys in $file: $why', ({ json, file }) => {
  const read = readBareConfig('file', JSON.stringify({ listen: '127.0.0.1', ...json }));
  expect(read).toMatchObject({ config: { anchorFile: file } });
});
