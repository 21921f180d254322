import { expect, test } from 'vitest';
import {
  CONFIG_FLAGS,
  ignoredSettings,
  printEndpoint,
  readConfig,
  readConfigFile,
  readEndpoint,
  readEnvironment,
} from './config.ts';

const from = (values: Record<string, string>) => readConfig([{ name: 'test', values }]);

test('without any source it is a working default, and the apex follows the user', () => {
  expect(readConfig([])).toMatchObject({
    config: {
      user: 'alice',
      name: 'laptop',
      apex: 'alice.nymote',
      dns: [{ address: '127.0.0.1', port: 5300 }],
    },
  });
  expect(from({ user: 'bob' })).toMatchObject({ config: { apex: 'bob.nymote' } });
});

test('later sources win', () => {
  const sources = [
    { name: 'file', values: { name: 'desk', user: 'bob' } },
    { name: 'flags', values: { name: 'shelf' } },
  ];
  expect(readConfig(sources)).toMatchObject({ config: { name: 'shelf', user: 'bob' } });
});

test.each<{ nat64: string; expected: unknown; why: string }>([
  { nat64: 'off', expected: 'off', why: 'there is none' },
  {
    nat64: '64:ff9b::/96',
    expected: { prefix: { length: 96 } },
    why: 'its prefix is known',
  },
  {
    nat64: '192.0.2.1, [2001:db8::1]:5353',
    expected: {
      discover: [
        { address: '192.0.2.1', port: 53 },
        { address: '2001:db8::1', port: 5353 },
      ],
    },
    why: 'who shows it is known',
  },
])('nat64 $nat64: $why', ({ nat64, expected }) => {
  expect(from({ nat64 })).toMatchObject({ config: { nat64: expected } });
});

test.each<{ values: Record<string, string>; message: RegExp; why: string }>([
  {
    values: { nmae: 'x' },
    message: /unknown setting 'nmae'; accepted: user, name, apex/,
    why: 'a wrong key is named with the accepted ones',
  },
  {
    values: { constructor: 'x' },
    message: /unknown setting 'constructor'/,
    why: 'inherited names are no settings',
  },
  {
    values: { name: 'My Laptop' },
    message: /name: 'My Laptop' is not a name of a–z/,
    why: 'not a label',
  },
  {
    values: { dns: '127.0.0.1' },
    message: /dns: .* is not address:port/,
    why: 'the port is missing',
  },
  { values: { dns: 'localhost:53' }, message: /dns:/, why: 'a name is no address' },
  {
    values: { controlPort: '70000' },
    message: /controlPort: '70000' is not a port/,
    why: 'beyond 65535',
  },
  { values: { rootHints: 'a.root=x' }, message: /rootHints/, why: 'no address' },
  { values: { nat64: '64:ff9b::/95' }, message: /nat64/, why: 'no length of RFC 6052' },
  { values: { nat64: '192.0.2.1,nobody' }, message: /nat64/, why: 'a name is no address' },
  {
    values: { apex: `${`${'a'.repeat(46)}.`.repeat(4)}bb` },
    message: /apex/,
    why: 'a device could have no name',
  },
  { values: { apex: 'ALICE.' }, message: /apex/, why: 'names are stored in lower case' },
])('$values: $why', ({ values, message }) => {
  const result = from(values);
  expect('problems' in result ? result.problems[0]?.message : '').toMatch(message);
});

test('all problems are reported at once', () => {
  const result = from({ a: '1', name: '-', controlPort: '0' });
  expect('problems' in result && result.problems).toHaveLength(3);
});

test.each([
  { text: '127.0.0.1:53', endpoint: { address: '127.0.0.1', port: 53 } },
  { text: '[::1]:53', endpoint: { address: '::1', port: 53 } },
  { text: '::1', endpoint: undefined },
  { text: '300.1.1.1:53', endpoint: undefined },
  { text: '1.2.3.4:0', endpoint: undefined },
])('endpoint $text', ({ text, endpoint }) => {
  expect(readEndpoint(text)).toEqual(endpoint);
  if (endpoint) expect(printEndpoint(endpoint)).toBe(text);
});

test.each([
  { text: '192.0.2.1', is: { address: '192.0.2.1', port: 53 }, why: 'in the clear' },
  {
    text: 'tls://dns.example@[2001:db8::1]:8853',
    is: { address: '2001:db8::1', port: 8853, tls: { name: 'dns.example' } },
    why: 'over TLS, by name',
  },
  { text: 'tls://192.0.2.1', is: { address: '192.0.2.1', port: 853, tls: {} }, why: 'by address' },
  {
    text: `tls://sha256=${'A'.repeat(43)}=@192.0.2.1`,
    is: { address: '192.0.2.1', port: 853, tls: { pins: [`${'A'.repeat(43)}=`] } },
    why: 'by its key',
  },
  {
    text: 'https://dns.example/dns-query@192.0.2.1',
    is: { address: '192.0.2.1', port: 443, https: 'https://dns.example/dns-query' },
    why: 'over HTTPS',
  },
  { text: 'tls://dns.example', is: undefined, why: 'names would have to be resolved first' },
  { text: 'tls://@192.0.2.1', is: undefined, why: 'nobody' },
  { text: 'tls://sha256=abc@192.0.2.1', is: undefined, why: 'a pin that is none' },
  { text: 'https://192.0.2.1', is: undefined, why: 'neither name nor path' },
  { text: 'http://dns.example/q@192.0.2.1', is: undefined, why: 'in the clear, by mistake' },
])('forward $text: $why', ({ text, is }) => {
  const read = from({ forward: text });
  expect('problems' in read ? undefined : read.config.forward).toEqual(is && [is]);
});

test('a default port makes the bare address an endpoint', () => {
  expect(readEndpoint('2001:db8::1', 53)).toEqual({ address: '2001:db8::1', port: 53 });
  expect(readEndpoint('192.0.2.1', 53)).toEqual({ address: '192.0.2.1', port: 53 });
});

test('DNS over TLS and HTTPS know their ports', () => {
  expect(from({ dot: '192.0.2.1,[::1]:8853', doh: '::1' })).toMatchObject({
    config: {
      dot: [
        { address: '192.0.2.1', port: 853 },
        { address: '::1', port: 8853 },
      ],
      doh: [{ address: '::1', port: 443 }],
    },
  });
});

test('a configuration file may hold numbers and lists', () => {
  const source = readConfigFile(
    'nymote.json',
    '{"wireguardPort": 7000, "dns": ["127.0.0.1:53", "[::1]:53"]}',
  );
  expect('values' in source && readConfig([source])).toMatchObject({
    config: { wireguardPort: 7000, dns: [{ port: 53 }, { address: '::1' }] },
  });
});

test.each(['{', '[]', '7', 'null'])(
  'a configuration file that is %s is blamed, not crashed on',
  (text) => {
    expect(readConfigFile('nymote.json', text)).toHaveProperty('message');
  },
);

test('every setting has a flag and a variable', () => {
  const environment = Object.fromEntries(
    CONFIG_FLAGS.map(({ flag }) => [
      `NYMOTE_${flag.slice(2).replaceAll('-', '_').toUpperCase()}`,
      'x',
    ]),
  );
  expect(Object.keys(readEnvironment(environment).values)).toEqual(
    CONFIG_FLAGS.map(({ key }) => key),
  );
});

test.each([
  { values: {}, says: false, why: 'nothing was asked for' },
  { values: { user: 'bob' }, says: false, why: 'what is there' },
  { values: { user: 'carol' }, says: true, why: 'somebody else' },
  { values: { user: 'bob', apex: 'bob.example' }, says: true, why: 'another zone' },
])("in bob's realm with $values, a warning: $says ($why)", ({ values, says }) => {
  const result = from(values);
  if ('problems' in result) throw new Error('unreachable: good settings');
  const warnings = ignoredSettings(result.config, { user: 'bob', apex: 'bob.nymote' });
  expect(warnings).toEqual(
    says ? [expect.stringMatching(/belongs to bob and is bob\.nymote/)] : [],
  );
});
