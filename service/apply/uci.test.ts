import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fakeRuntime } from '#runtime/fake';
import type { OptionLine } from './option.ts';
import { createUci, parseUciShow } from './uci.ts';

test.each([
  {
    text: "network.lan=interface\nnetwork.lan.ipaddr='192.168.1.1'\n",
    values: { 'network.lan': 'interface', 'network.lan.ipaddr': '192.168.1.1' },
    why: 'sections and options',
  },
  {
    text: "network.lan.dns='1.1.1.1' '9.9.9.9'\n",
    values: { 'network.lan.dns': ['1.1.1.1', '9.9.9.9'] },
    why: 'a list',
  },
  {
    text: "system.main.notes='it'\\''s'\n",
    values: { 'system.main.notes': "it's" },
    why: 'a quote in a value',
  },
  {
    text: "system.main.notes='a\nb=c'\nsystem.main.hostname='r'\n",
    values: { 'system.main.notes': 'a\nb=c', 'system.main.hostname': 'r' },
    why: 'a line break in a value',
  },
  {
    text: "firewall.@zone[0].name='lan'\n",
    values: { 'firewall.@zone[0].name': 'lan' },
    why: 'a place in a list',
  },
  { text: 'uci: Entry not found\n', values: {}, why: 'no values' },
  { text: "a.b.c='", values: { 'a.b.c': '' }, why: 'cut short' },
])('$why', ({ text, values }) => {
  expect(Object.fromEntries(parseUciShow(text))).toEqual(values);
});

test('no text is too odd to be read', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom(...`a.='\\\n @[]-_`), maxLength: 200 }),
      (text) => {
        expect(parseUciShow(text).size).toBeLessThanOrEqual(text.length);
      },
    ),
  );
});

function uciOver(shown: string, exitCodes: Record<string, number> = {}, unsaved = '') {
  const runtime = fakeRuntime({
    exec: {
      uci: ({ args }) => {
        const [verb = ''] = args.slice(args[1] === '-t' ? 3 : 1);
        const stdout = { show: shown, changes: unsaved }[verb] ?? '';
        return { exitCode: exitCodes[verb] ?? 0, stdout };
      },
      reload_config: {},
    },
  });
  const changes = (): string[] =>
    runtime.exec.calls
      .filter(({ args }) => args[0] !== '-q' || args[1] === '-t')
      .map(({ file, args }) => (file === 'uci' ? args.slice(3).join(' ') : file))
      .filter((line) => !line.startsWith('show'));
  return { uci: createUci(runtime.exec), changes };
}

const LAN = "network.lan=interface\nnetwork.lan.ipaddr='1'\nnetwork.nymote_a=interface\n";

test.each([
  {
    lines: [{ option: 'network.lan.ipaddr', value: '2' }],
    ends: ['set network.lan.ipaddr=2'],
    why: 'a value',
  },
  {
    lines: [{ option: 'network.lan.dns', value: ['1', '2'] }],
    ends: ['delete network.lan.dns', 'add_list network.lan.dns=1', 'add_list network.lan.dns=2'],
    why: 'a list replaces what is there',
  },
  {
    lines: [
      { option: 'network.lan.ipaddr', value: undefined },
      { option: 'network.lan.gone', value: undefined },
    ],
    ends: ['delete network.lan.ipaddr'],
    why: 'what is not there needs no removal',
  },
  {
    lines: [
      { option: 'network.nymote_b.proto', value: 'static' },
      { option: 'network.nymote_b', value: 'interface' },
    ],
    ends: ['set network.nymote_b=interface', 'set network.nymote_b.proto=static'],
    why: 'a section comes before what is in it',
  },
  {
    lines: [
      { option: 'network.nymote_a', value: undefined },
      { option: 'network.lan.ipaddr', value: '2' },
    ],
    ends: ['set network.lan.ipaddr=2', 'delete network.nymote_a'],
    why: 'and goes last',
  },
] satisfies { lines: OptionLine[]; ends: string[]; why: string }[])(
  '$why',
  async ({ lines, ends }) => {
    const { uci, changes } = uciOver(LAN);
    await uci.write(lines);
    expect(changes()).toEqual(['revert network', ...ends, 'commit network', 'reload_config']);
  },
);

test('a section that is not there is not made, unless it is ours', async () => {
  const { uci, changes } = uciOver(LAN);
  await expect(uci.write([{ option: 'network.wan9.proto', value: 'dhcp' }])).rejects.toThrow(
    'network.wan9.proto: there is no such section',
  );
  expect(changes()).toEqual([]);
});

test('what cannot be written is named without its value', async () => {
  const { uci } = uciOver(LAN, { set: 1 });
  await expect(uci.write([{ option: 'network.lan.ipaddr', value: 'x y' }])).rejects.toThrow(
    /^uci set network\.lan\.ipaddr: failed$/,
  );
});

test('what somebody has not saved yet is not committed with ours', async () => {
  const { uci, changes } = uciOver(LAN, {}, "network.lan.mtu='1400'\n");
  await expect(uci.write([{ option: 'network.lan.ipaddr', value: '2' }])).rejects.toThrow(
    'somebody has unsaved changes of network',
  );
  expect(changes()).toEqual([]);
});
