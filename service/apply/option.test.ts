import { expect, test } from 'vitest';
import { classify, isSameValue, isSecretOption, parseOption } from './option.ts';

test.each([
  {
    text: 'network.lan.ipaddr',
    name: { package: 'network', section: 'lan', option: 'ipaddr' },
    why: 'an option',
  },
  {
    text: 'firewall.nymote_guests',
    name: { package: 'firewall', section: 'nymote_guests' },
    why: 'a section of ours',
  },
  { text: 'firewall.nymoted', name: undefined, why: 'a section that only begins like ours' },
  { text: 'network.lan', name: undefined, why: "somebody else's section" },
  { text: 'firewall.@zone[1].input', name: undefined, why: 'a place in a list' },
  { text: 'rpcd.login.password', name: undefined, why: 'another package' },
  { text: 'network.lan.ipaddr.x', name: undefined, why: 'a word too many' },
  { text: "network.lan.ipaddr='1'", name: undefined, why: 'a value in it' },
  { text: 'network..ipaddr', name: undefined, why: 'a word missing' },
  { text: '../passwd.a.b', name: undefined, why: 'a way up' },
  { text: '', name: undefined, why: 'nothing' },
])('$text: $why', ({ text, name }) => {
  expect(parseOption(text)).toEqual(name);
});

test.each([
  { option: 'wireless.default_radio0.key', secret: true, why: "the Wi-Fi's passphrase" },
  { option: 'wireless.default_radio0.key1', secret: true, why: 'a WEP key' },
  { option: 'network.wg0.private_key', secret: true, why: 'a WireGuard key' },
  { option: 'network.wan.password', secret: true, why: "the provider's" },
  { option: 'wireless.default_radio0.sae_password', secret: true, why: 'SAE' },
  { option: 'wireless.default_radio0.ssid', secret: false, why: 'a name' },
  { option: 'network.lan.ipaddr', secret: false, why: 'an address' },
])('$option: $why', ({ option, secret }) => {
  expect(isSecretOption(option)).toBe(secret);
});

test.each([
  { options: ['system.main.zonename'], kind: 'plain', seconds: 90, why: 'nobody is cut off' },
  { options: ['dhcp.lan.start'], kind: 'plain', seconds: 90, why: 'leases go on' },
  { options: ['network.wan.proto'], kind: 'slow', seconds: 300, why: 'the way out takes time' },
  { options: ['network.mesh0.mtu'], kind: 'slow', seconds: 300, why: 'so does a mesh' },
  { options: ['network.lan.ipaddr'], kind: 'risky', seconds: 300, why: 'the LAN moves' },
  { options: ['wireless.radio0.channel'], kind: 'risky', seconds: 300, why: 'Wi-Fi' },
  { options: ['firewall.nymote_a'], kind: 'risky', seconds: 300, why: 'the firewall' },
  {
    options: ['network.wan.proto', 'system.main.zonename', 'wireless.radio0.channel'],
    kind: 'risky',
    seconds: 300,
    why: 'the worst counts',
  },
  { options: [], kind: 'plain', seconds: 90, why: 'nothing' },
])('$options: $why', ({ options, kind, seconds }) => {
  expect(classify(options)).toEqual({ kind, seconds });
});

test.each([
  { a: 'x', b: ['x'], same: true, why: 'UCI prints a list of one as a value' },
  { a: ['x', 'y'], b: ['y', 'x'], same: false, why: 'order counts' },
  { a: 'x y', b: ['x', 'y'], same: false, why: 'a blank is no comma' },
  { a: undefined, b: undefined, same: true, why: 'neither is there' },
  { a: '', b: undefined, same: false, why: 'empty is something' },
])('$a and $b: $why', ({ a, b, same }) => {
  expect(isSameValue(a, b)).toBe(same);
});
