/**
 * The package's shell scripts, run by the shells a router might have, against a small `uci`.
 *
 * procd and network.sh are stood in for by functions that print what they were asked.
 */

import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { SHELLS } from './shells.ts';

const FILES = join(import.meta.dirname, '../../openwrt/package/files');
const LIBRARY = join(FILES, 'usr/lib/nymote');
const GUARD = join(FILES, 'usr/libexec/nymote-guard');

/** Keys and values a line each, a list as several lines; what is set counts at once. */
const UCI = `#!/bin/sh
state="$UCI_STATE"
while :; do case "$1" in -q | -X) shift ;; *) break ;; esac; done
verb="$1"
key="\${2%%=*}"
value="\${2#*=}"
tab="$(printf '\\t')"
case "$verb" in
get) awk -F'\\t' -v k="$key" '$1 == k { printf "%s%s", s, $2; s = " " } END { if (s == "") exit 1; print "" }' "$state" ;;
show) awk -F'\\t' -v p="$key." 'index($1, p) == 1 { print $1 "=" $2 }' "$state" ;;
set) grep -v "^$key$tab" "$state" >"$state.new"; mv "$state.new" "$state"; printf '%s\\t%s\\n' "$key" "$value" >>"$state" ;;
add_list) printf '%s\\t%s\\n' "$key" "$value" >>"$state" ;;
del_list) grep -vxF "$key$tab$value" "$state" >"$state.new"; mv "$state.new" "$state" ;;
commit) echo "commit $key" >>"$UCI_LOG" ;;
*) echo "uci: $verb" >&2; exit 1 ;;
esac
`;

/** What OpenWrt's /etc/rc.common, procd.sh and /lib/functions.sh give to an init script. */
const ROUTER = `
config_load() { :; }
config_get() { eval "$1=\\"\\$(uci -q get nymote.$2.$3 || echo \\"\\$4\\")\\""; }
config_get_bool() { config_get "$1" "$2" "$3" "$4"; }
logger() { echo "logger $*"; }
chown() { echo "chown $*"; }
for name in procd_open_instance procd_close_instance procd_set_param procd_append_param \\
  procd_add_jail procd_open_data procd_close_data procd_add_reload_trigger \\
  procd_add_reload_interface_trigger procd_set_config_changed json_add_array json_close_array \\
  json_add_object json_close_object json_add_string; do
  eval "$name() { echo \\"$name \\$*\\"; }"
done
`;

const DHCP = [
  ['dhcp.cfg01411c', 'dnsmasq'],
  ['dhcp.cfg01411c.domain', 'lan'],
  ['dhcp.cfg01411c.server', '/corp.example/10.0.0.1'],
  ['dhcp.cfg02411c', 'dnsmasq'],
  ['dhcp.lan', 'dhcp'],
] as const;
const NYMOTE = [
  ['nymote.main', 'nymote'],
  ['nymote.main.enabled', '1'],
  ['nymote.main.user', 'alice'],
  ['nymote.main.name', 'router'],
  ['nymote.main.dns_port', '5300'],
  ['nymote.main.forwarded_port', '5301'],
  ['nymote.main.dnsmasq', 'split'],
] as const;
const HOST = ['system.@system[0].hostname', 'My_Router.'] as const;

type Pair = readonly [key: string, value: string];

const directory = mkdtempSync(join(tmpdir(), 'nymote-scripts-'));
const state = join(directory, 'state');
const log = join(directory, 'log');
afterAll(() => rmSync(directory, { recursive: true }));

beforeEach(() => {
  writeFileSync(join(directory, 'uci'), UCI);
  chmodSync(join(directory, 'uci'), 0o755);
  writeFileSync(log, '');
  writeFileSync(join(directory, 'dnsmasq'), `#!/bin/sh\necho "dnsmasq $1" >>"$UCI_LOG"\n`);
  chmodSync(join(directory, 'dnsmasq'), 0o755);
  writeFileSync(join(directory, 'network.sh'), 'network_get_ipaddr() { eval "$1=$TEST_ADDRESS"; }');
  save([...DHCP, ...NYMOTE, HOST]);
});

function save(pairs: readonly Pair[]): void {
  writeFileSync(state, pairs.map(([key, value]) => `${key}\t${value}\n`).join(''));
}

function load(prefix: string): string[] {
  const lines = readFileSync(state, 'utf8').split('\n');
  return lines.filter((line) => line.startsWith(prefix)).map((line) => line.replace('\t', '='));
}

function run(command: readonly string[], script: string, env: Record<string, string> = {}): string {
  const [program = '', ...args] = command;
  const result = spawnSync(program, [...args, '-c', script], {
    encoding: 'utf8',
    env: {
      PATH: `${directory}:/usr/sbin:/usr/bin:/sbin:/bin`,
      UCI_STATE: state,
      UCI_LOG: log,
      NYMOTE_LIB: LIBRARY,
      NYMOTE_DATA: join(directory, 'data'),
      NYMOTE_FUNCTIONS: directory,
      NYMOTE_DNSMASQ_INIT: join(directory, 'dnsmasq'),
      NYMOTE_UJAIL: '/nonexistent',
      NYMOTE_GUARD: GUARD,
      TEST_ADDRESS: '192.168.1.1',
      ...env,
    },
  });
  expect(result.stderr).toBe('');
  return result.stdout;
}

const apply = `. "$NYMOTE_LIB/dnsmasq.sh"; nymote_dnsmasq_apply`;
const undo = `. "$NYMOTE_LIB/dnsmasq.sh"; nymote_dnsmasq_undo`;
const start = `${ROUTER}\n. "${FILES}/etc/init.d/nymote"\nstart_service`;

describe.each(SHELLS)('$name', ({ command }) => {
  test('dnsmasq is told about the zone, in every instance, and restarted once', () => {
    run(command, apply);
    expect(load('dhcp.')).toEqual([
      ...DHCP.map((pair) => pair.join('=')),
      'dhcp.cfg01411c.server=/alice.nymote/127.0.0.1#5301',
      'dhcp.cfg01411c.nymote_server=/alice.nymote/127.0.0.1#5301',
      'dhcp.cfg01411c.rebind_domain=alice.nymote',
      'dhcp.cfg01411c.nymote_rebind_domain=alice.nymote',
      'dhcp.cfg02411c.server=/alice.nymote/127.0.0.1#5301',
      'dhcp.cfg02411c.nymote_server=/alice.nymote/127.0.0.1#5301',
      'dhcp.cfg02411c.rebind_domain=alice.nymote',
      'dhcp.cfg02411c.nymote_rebind_domain=alice.nymote',
    ]);
    expect(readFileSync(log, 'utf8')).toBe('commit dhcp\ndnsmasq running\ndnsmasq restart\n');
  });

  test('a second time changes nothing and restarts nothing (I4)', () => {
    run(command, apply);
    const [before] = [readFileSync(state, 'utf8'), writeFileSync(log, '')];
    run(command, apply);
    expect(readFileSync(state, 'utf8')).toBe(before);
    expect(readFileSync(log, 'utf8')).toBe('');
  });

  test('undoing leaves exactly what was before (I11)', () => {
    const before = readFileSync(state, 'utf8');
    run(command, `${apply}; ${undo}`);
    expect(readFileSync(state, 'utf8')).toBe(before);
  });

  test('an entry that somebody else made is theirs', () => {
    save([...DHCP, ['dhcp.cfg01411c.rebind_domain', 'alice.nymote'], ...NYMOTE]);
    const before = readFileSync(state, 'utf8');
    run(command, apply);
    expect(load('dhcp.cfg01411c.nymote_rebind')).toEqual([]);
    run(command, undo);
    expect(readFileSync(state, 'utf8')).toBe(before);
  });

  test.each([
    { key: 'user', value: 'bob', server: '/bob.nymote/127.0.0.1#5301', why: 'another person' },
    {
      key: 'apex',
      value: 'home.example',
      server: '/home.example/127.0.0.1#5301',
      why: 'own domain',
    },
    {
      key: 'forwarded_port',
      value: '5999',
      server: '/alice.nymote/127.0.0.1#5999',
      why: 'other port',
    },
  ])('$why: the old entry goes, the new one comes', ({ key, value, server }) => {
    run(command, `${apply}; uci set nymote.main.${key}=${value}; ${apply}`);
    expect(load('dhcp.cfg02411c.server')).toEqual([`dhcp.cfg02411c.server=${server}`]);
    expect(load('dhcp.cfg02411c.nymote_server')).toEqual([
      `dhcp.cfg02411c.nymote_server=${server}`,
    ]);
  });

  test.each([
    { key: 'dnsmasq', value: 'off', why: 'dnsmasq is not to be touched' },
    { key: 'enabled', value: '0', why: 'the service is off' },
    { key: 'user', value: '', why: 'there is no zone yet' },
  ])('$why: nothing of ours stays', ({ key, value }) => {
    run(command, `${apply}; uci set nymote.main.${key}=${value}; ${apply}`);
    expect(load('dhcp.')).toEqual(DHCP.map((pair) => pair.join('=')));
  });

  test('uci-defaults names the router after its host name, and keeps a name', () => {
    const defaults = `( . "${FILES}/etc/uci-defaults/90-nymote" )`;
    run(command, `${defaults}; uci get nymote.main.name`);
    expect(load('nymote.main.name')).toEqual(['nymote.main.name=router']);
    save([...DHCP, ...NYMOTE.filter(([key]) => !key.endsWith('name')), HOST]);
    run(command, `${defaults}; ${defaults}`);
    expect(load('nymote.main.name')).toEqual(['nymote.main.name=my-router']);
    expect(load('dhcp.cfg02411c.server')).toHaveLength(1);
  });

  test('the init script hands the settings to the program', () => {
    const lines = run(command, start).split('\n');
    const command_ = lines.filter((line) => /^procd_\w+_param command/.test(line));
    expect(command_.map((line) => line.replace(/^procd_\w+_param command /, '')).join(' ')).toBe(
      '/usr/lib/nymote/nymote serve ' +
        `--user alice --name router --data ${join(directory, 'data')} --dns 127.0.0.1:5300 --dns-forwarded 127.0.0.1:5301 ` +
        '--admin 127.0.0.1:8053,192.168.1.1:8053 --wireguard-port 51840 --control-port 51841 ' +
        '--ubus /var/run/ubus/ubus.sock ' +
        '--lan-leases /tmp/dhcp.leases --lan-hosts /etc/hosts,/tmp/hosts/odhcpd --lan-domain lan',
    );
    expect(lines).not.toContain('procd_set_param user nymote');
  });

  test.each<{ more: Pair[]; says: string; why: string }>([
    {
      more: [['dhcp.cfg01411c.leasefile', '/var/leases']],
      says: '--lan-leases /var/leases ',
      why: 'leases elsewhere',
    },
    {
      more: [['dhcp.cfg01411c.domain', 'Home.Arpa']],
      says: '--lan-domain home.arpa',
      why: 'capitals count for nothing',
    },
    { more: [['dhcp.cfg01411c.domain', 'my home']], says: '', why: 'no domain at all' },
    { more: [['nymote.main.lan_names', '0']], says: '', why: 'names of the LAN are not wanted' },
    { more: [['nymote.main.nat64', '64:ff9b::/96']], says: '--nat64 64:ff9b::/96', why: 'a NAT64' },
  ])('what the LAN has, the program is told: $why', ({ more, says }) => {
    const keys = more.map(([key]) => key);
    const kept = [...DHCP, ...NYMOTE, HOST].filter(([key]) => !keys.includes(key));
    save([...kept, ...more]);
    const said = run(command, start).replaceAll(/^procd_append_param command /gm, '');
    expect(said).toContain(says);
    if (keys[0]?.endsWith('lan_names')) expect(said).not.toContain('--lan');
    if (keys[0]?.endsWith('domain') && says === '') expect(said).not.toContain('--lan-domain');
  });

  test('the init script opens the two ports, and no other', () => {
    const lines = run(command, start).split('\n');
    expect(lines.filter((line) => /proto|dest_port/.test(line))).toEqual([
      'json_add_string proto udp',
      'json_add_string dest_port 51840',
      'json_add_string proto tcp udp',
      'json_add_string dest_port 51841',
    ]);
  });

  test('a port for backups of friends is opened when it is named', () => {
    save([...DHCP, ...NYMOTE, HOST, ['nymote.main.keep_port', '51822']]);
    const lines = run(command, start).split('\n');
    expect(lines).toContain('procd_append_param command --keep-port 51822');
    expect(lines.filter((line) => /proto|dest_port/.test(line)).slice(-2)).toEqual([
      'json_add_string proto tcp',
      'json_add_string dest_port 51822',
    ]);
  });

  test('who may change the settings of the router is root, ujail or not', () => {
    save([...DHCP, ...NYMOTE, HOST, ['nymote.main.settings', '1']]);
    const lines = run(command, start, { NYMOTE_UJAIL: '/bin/true' }).split('\n');
    expect(lines.filter((line) => /jail|chown|set_param user/.test(line))).toEqual([]);
  });

  test('with ujail the program is an own user with few capabilities', () => {
    const lines = run(command, start, { NYMOTE_UJAIL: '/bin/true' }).split('\n');
    expect(lines).toEqual(
      expect.arrayContaining([
        `chown -R nymote:nymote ${join(directory, 'data')}`,
        'procd_set_param user nymote',
        'procd_set_param capabilities /etc/capabilities/nymote.json',
        'procd_set_param no_new_privs 1',
        'procd_add_jail nymote',
      ]),
    );
  });

  test('without an address on the network the admin is for the router alone', () => {
    expect(run(command, start, { TEST_ADDRESS: '' })).toContain('--admin 127.0.0.1:8053\n');
  });

  test.each([
    { key: 'enabled', value: '0', says: '', why: 'it is switched off' },
    { key: 'user', value: '', says: 'set nymote.main.user first', why: 'nobody was named' },
  ])('nothing starts when $why', ({ key, value, says }) => {
    const output = run(command, `uci set nymote.main.${key}=${value}\n${start}`);
    expect(output).toContain(says);
    expect(output).not.toContain('procd_open_instance');
  });

  test('the directory of the data is closed to others', () => {
    rmSync(join(directory, 'data'), { recursive: true, force: true });
    mkdirSync(join(directory, 'data'), { mode: 0o755 });
    run(command, start);
    const mode = execFileSync('stat', ['-c', '%a', join(directory, 'data')], { encoding: 'utf8' });
    expect(mode.trim()).toBe('700');
  });
});

/** START of OpenWrt's own init scripts; `boot` applies settings, the others read theirs. */
const STARTS = { boot: 10, log: 12, rpcd: 12, dnsmasq: 19, firewall: 19, network: 20 };

test.each(Object.entries(STARTS))('the guard starts before %s (%i)', (_name, start) => {
  const script = readFileSync(join(FILES, 'etc/init.d/nymote-guard'), 'utf8');
  const own = /^START=(\d\d)$/m.exec(script)?.[1];
  // Two digits: their order is that of file names in /etc/rc.d.
  expect(`S${own}nymote-guard` < `S${start}`).toBe(true);
});

test.each(SHELLS)('at a start the guard looks before it watches ($name)', ({ command }) => {
  const env = { NYMOTE_GUARD: join(directory, 'guard') };
  writeFileSync(env.NYMOTE_GUARD, '#!/bin/sh\necho "guard $*"\n', { mode: 0o755 });
  const script = `${ROUTER}\nstart() { start_service; }\n. "${FILES}/etc/init.d/nymote-guard"\nboot`;
  expect(run(command, script, env).trim().split('\n')).toEqual([
    'guard boot',
    'procd_open_instance watch',
    `procd_set_param command ${env.NYMOTE_GUARD} watch`,
    'procd_set_param respawn 3600 5 0',
    'procd_set_param stderr 1',
    'procd_close_instance',
  ]);
});

test('the program knows every flag the init script hands it', () => {
  const main = join(import.meta.dirname, '../../service/main.ts');
  const help = execFileSync(process.execPath, [main, 'serve', '--help'], { encoding: 'utf8' });
  const script = readFileSync(join(FILES, 'etc/init.d/nymote'), 'utf8');
  const flags = [...script.matchAll(/ (--[a-z0-9-]+) /g)].map(([, flag]) => flag);
  expect(flags).toHaveLength(15);
  for (const flag of flags) expect(help).toContain(`${flag} `);
});
