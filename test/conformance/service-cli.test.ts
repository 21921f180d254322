/**
 * The command line against the running process: every verb, every exit code, JSON that scripts can
 * read, and words about what was mistyped.
 */

import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  findPorts,
  makeRoom,
  nymote,
  runProgram,
  type Service,
  startService,
} from './service-stand.ts';

let room: Awaited<ReturnType<typeof makeRoom>>;
let service: Service;

beforeAll(async () => {
  room = await makeRoom();
  service = await startService({ data: join(room.path, 'data'), ports: await findPorts() });
  await service.run('device', 'add', 'phone');
  await service.run('device', 'add', 'radio');
});

afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
  await room?.[Symbol.asyncDispose]();
});

/** In this order: later ones see what earlier ones did. */
const COMMANDS = [
  { run: 'status', exit: 0, says: /^This is laptop\.alice\.nymote/ },
  { run: 'device list', exit: 0, says: /^phone\.alice\.nymote +plain/m },
  { run: 'device add tablet', exit: 0, says: /PrivateKey = / },
  { run: 'device add desktop --node', exit: 0, says: /npx nymote join 192\.0\.2\.1:\d+ [0-9A-Z-]/ },
  { run: 'device remove tablet', exit: 0, says: /^tablet is removed/ },
  { run: 'zone show', exit: 0, says: /^phone\.alice\.nymote\. 30 IN AAAA fd/m },
  { run: 'zone anchor', exit: 0, says: /^trust-anchors \{/ },
  { run: 'zone anchor --format ds', exit: 0, says: /alice\.nymote\.? .*DS \d+ 13 2 / },
  { run: 'why phone', exit: 0, says: /may resolve phone\.alice\.nymote/ },
  { run: 'why phone --asker 203.0.113.9', exit: 0, says: /may not|denied|not allowed/ },
  { run: 'log', exit: 0, says: /laptop \(cli\) +Remove tablet\n/ },
  { run: 'log --limit 1', exit: 0, says: /^\S+ .*Remove tablet\n$/ },
  {
    run: 'log --device laptop --grep TABLET --what',
    exit: 0,
    says: /\n {4}Removed the device tablet\n/,
  },
  { run: 'log --device nobody', exit: 0, says: /^No change fits\.\n$/ },
  { run: 'name list', exit: 0, says: /^You wrote no records yet\.\n$/ },
  { run: 'name set www CNAME phone', exit: 0, says: /^www CNAME is phone\.\n$/ },
  {
    run: 'name list',
    exit: 0,
    says: /^www\.alice\.nymote +3600 +CNAME +phone\.alice\.nymote\.\n$/,
  },
  { run: 'name remove www', exit: 0, says: /^www is removed\.\n$/ },
  { run: 'conflicts', exit: 0, says: /^Your devices agree\.\n$/ },
  {
    run: 'history',
    exit: 0,
    says: /^\d+ changes are kept, since 20\d\d-\d\d-\d\d; none were dropped\.\n/,
  },
  { run: 'history prune', exit: 0, says: /^Nothing was dropped: all of it is young enough/ },
  { run: 'late', exit: 0, says: /^There are no late changes\.\n$/ },
  { run: 'proposals', exit: 0, says: /^Nothing waits for a second owner\.\n$/ },
  { run: 'diff', exit: 0, says: /^names\/www\n- \{/ },
  { run: 'signers', exit: 0, says: /ssh-ed25519 / },
  { run: 'token add backup', exit: 0, says: /^nym_\w+\n/ },
  { run: 'token list', exit: 0, says: /backup/ },
  { run: 'sign-in', exit: 0, says: /^http:\/\/127\.0\.0\.1:\d+\/sign-in#/ },
  { run: 'doctor', exit: 1, says: /FAIL {2}internet: 127\.0\.0\.1:1 does not answer.*\n {6}→ / },
  { run: 'version', exit: 0, says: /^\d+\.\d+\.\d+\n$/ },
  { run: '--version', exit: 0, says: /^\d+\.\d+\.\d+\n$/ },
  { run: 'help', exit: 0, says: /device add <name>/ },
  {
    run: 'help backup',
    exit: 0,
    says: /^nymote backup\n.*\n\n {2}For example: nymote backup --to /,
  },
  { run: 'help device', exit: 0, says: /^ {2}device add <name>/ },
  { run: 'device --help', exit: 0, says: /^ {2}device add <name>/ },
];

describe('what works', () => {
  test.each(COMMANDS)('nymote $run', async ({ run, exit, says }) => {
    const words = run.split(' ');
    const isAlone = /^(--)?version$|help/.test(run);
    const ended = await (isAlone ? nymote(words) : service.run(...words));
    expect(ended.stdout).toMatch(says);
    expect([ended.exitCode, ended.stderr]).toEqual([exit, '']);
  });

  test('a QR code fits into a terminal of 80 columns', async () => {
    const { stdout } = await service.run('device', 'add', 'watch');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are made of them
    const lines = stdout.replace(/\u001b\[[0-9;]*m/g, '').split('\n');
    const code = lines.filter((line) => /^[█▀▄ ]{30,}$/.test(line));
    expect(code.length).toBeGreaterThan(20);
    expect(Math.max(...code.map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  test('revert takes back the newest change, by the short id that log prints', async () => {
    await service.run('device', 'add', 'mistake');
    const id = (await service.run('log', '--limit', '1')).stdout.split(' ')[0] ?? '';
    const reverted = await service.run('revert', id);
    expect(reverted.stdout).toMatch(/^Undone by commit \w{12}\.\n$/);
    expect((await service.run('device', 'list')).stdout).not.toContain('mistake');
  });
});

describe.concurrent('--json', () => {
  test.each([
    { run: 'status', has: 'apex' },
    { run: 'device list', has: 'devices' },
    { run: 'device add camera', has: 'config' },
    { run: 'device add server --node', has: 'code' },
    { run: 'device remove radio', has: 'removed' },
    { run: 'zone show', has: 'records' },
    { run: 'zone anchor', has: 'delv' },
    { run: 'why phone', has: 'sentence' },
    { run: 'log', has: 'commits' },
    { run: 'name list', has: 'names' },
    { run: 'conflicts', has: 'conflicts' },
    { run: 'late', has: 'late' },
    { run: 'proposals', has: 'paths' },
    { run: 'diff', has: 'changes' },
    { run: 'signers', has: 'allowedSigners' },
    { run: 'token add script --days 1', has: 'token' },
    { run: 'token list', has: 'tokens' },
    { run: 'sign-in', has: 'url' },
    { run: 'doctor', has: 'checks' },
    { run: 'device add phone', has: 'problem' },
    { run: 'device remove nobody', has: 'problem' },
  ])('nymote $run has $has', async ({ run, has }) => {
    expect(await service.json(...run.split(' '))).toHaveProperty(has);
  });
});

const REFUSED = [
  { run: 'device add phone', exit: 4, says: 'There is a device called phone already.' },
  { run: 'device add No_Name', exit: 1, says: 'name: ' },
  { run: 'device remove nobody', exit: 1, says: 'There is no device nobody.' },
  { run: 'device remove laptop', exit: 3, says: 'it cannot remove itself' },
  { run: 'revert ffffffff', exit: 1, says: 'no commit' },
  { run: 'revert zz', exit: 1, says: 'to: ' },
  { run: 'log --limit many', exit: 1, says: 'limit: ' },
  { run: 'why phone --at someday', exit: 2, says: "'someday' is not a date and time" },
  { run: 'why phone --asker nobody', exit: 1, says: 'neither a device nor an address' },
  { run: 'zone anchor --format bind', exit: 2, says: 'takes ds, dnskey, delv, unbound' },
  { run: 'name set www A nonsense', exit: 1, says: "'nonsense' is not what A records say" },
  { run: 'name remove www', exit: 1, says: 'www.alice.nymote has no such records of yours' },
  {
    run: 'resolve rules/x/effect --take phone',
    exit: 1,
    says: 'rules/x/effect is not in conflict',
  },
  { run: 'resolve rules/x/effect --value x', exit: 2, says: "--value: 'x' is not JSON" },
  { run: 'rule set x y', exit: 2, says: 'The rule is not JSON.' },
  { run: 'draft set x a/b/c y', exit: 2, says: "'y' is not JSON; words need quotes" },
  { run: 'name set www A 192.0.2.1 --ttl x', exit: 2, says: "'x' is no number of seconds" },
  { run: 'upstream add x', exit: 2, says: 'That is no subscription' },
  { run: 'history forget', exit: 2, says: 'If you mean it, add --yes.' },
  { run: 'resolve rules/x/effect', exit: 2, says: 'resolve takes either --take DEVICE or --value' },
  { run: 'late adopt phone', exit: 1, says: 'There are no late changes of phone.' },
  { run: 'approve x.1', exit: 1, says: 'There is no proposal x.1.' },
  { run: 'proposals --require rules', exit: 1, says: 'There is only one owner' },
  { run: 'proposals --require rules,rule', exit: 1, says: 'Nothing is kept under rule.' },
  { run: 'log --limit many', exit: 1, says: 'limit: 1 to 500' },
  { run: 'token remove none', exit: 1, says: 'There is no such token.' },
];

/** Before anything is asked; each says where to look. */
const MISTYPED = [
  { run: 'help bogus', says: "there is no command 'bogus'; see 'nymote help'" },
  { run: 'bogus', says: "there is no command 'bogus'; see 'nymote help'" },
  { run: 'device', says: "after 'device' a word is missing: device add, device confirm" },
  { run: 'device add', says: "<name> is missing; see 'nymote device add --help'" },
  { run: 'device add a b', says: "'b' is one word too many" },
  { run: 'status --bogus', says: 'there is no flag --bogus; status takes --data --json --help' },
  { run: 'serve --prot 5', says: 'there is no flag --prot; serve takes --user --name ' },
  { run: 'log --limit', says: '--limit needs a number' },
  { run: '--bogus', says: 'a command is missing' },
  { run: 'join nowhere CODE', says: "'nowhere' is not address:port" },
];

describe.concurrent('what does not', () => {
  test.each(REFUSED)('nymote $run ends with $exit', async ({ run, exit, says }) => {
    const { exitCode, stdout, stderr } = await service.run(...run.split(' '));
    expect(stderr).toContain('nymote: ');
    expect(stderr).toContain(says);
    expect([exitCode, stdout]).toEqual([exit, '']);
  });

  test.each(MISTYPED)('nymote $run ends with 2', async ({ run, says }) => {
    const { exitCode, stdout, stderr } = await nymote(run.split(' '));
    expect(stderr).toContain(`nymote: `);
    expect(stderr).toContain(says);
    expect([exitCode, stdout]).toEqual([2, '']);
  });

  test('where no service runs, all end with 5 and say how to start it', async () => {
    const { exitCode, stderr } = await nymote(['status', '--data', room.path]);
    expect(stderr).toBe(
      `nymote: nymote is not running with data in ${room.path}; start it ('npm start', on OpenWrt '/etc/init.d/nymote start') or name its directory with --data\n`,
    );
    expect(exitCode).toBe(5);
  });
});

test('a reader that leaves early is no error', async () => {
  const main = join(import.meta.dirname, '../../service/main.ts');
  const { stderr } = await runProgram('sh', [
    '-c',
    '"$0" "$1" help | true',
    process.execPath,
    main,
  ]);
  expect(stderr).toBe('');
});

test('every verb has --help, without a service', async () => {
  const { stdout } = await nymote(['help']);
  const verbs = [...stdout.matchAll(/^ {2}([a-z-]+(?: [a-z]+)?)(?= +(?:[<[]|[a-z'].* {2}| ))/gm)];
  const names = verbs.map(([, name = '']) => name.trim());
  expect(names).toContain('device add');
  expect(names.length).toBeGreaterThan(12);
  const queue = names.values();
  const work = async () => {
    for (const name of queue) {
      const help = await nymote([...name.split(' '), '--help']);
      expect(help.stdout, name).toMatch(new RegExp(`^nymote ${name}( [<[]|\n)`));
      expect([help.exitCode, help.stderr], name).toEqual([0, '']);
    }
  };
  await Promise.all([work(), work(), work()]);
});
