/**
 * The words of the command line as data: every verb with its operands, flags and help.
 */

import { CONFIG_FLAGS } from '../config.ts';
import { APPLY_VERBS } from './apply-verbs.ts';
import { BACKUP_VERBS } from './backup-verbs.ts';
import { DRAFT_VERBS } from './draft-verbs.ts';
import { AUTO_CONFIRM, ENROL_VERBS, ROLE } from './enrol-verbs.ts';
import { HISTORY_VERBS } from './history-verbs.ts';
import { HUB_VERBS, UPSTREAM_VERBS } from './hub-verbs.ts';
import { NAME_VERBS } from './name-verbs.ts';
import { TOGETHER_VERBS } from './together-verbs.ts';
import { DATA, type Flag, type Operand, type Verb } from './verb.ts';

/** Flags that every verb takes. */
export const COMMON_FLAGS: readonly Flag[] = [
  { flag: '--json', key: 'json', help: 'print JSON' },
  { flag: '--help', key: 'help', help: 'print this help' },
];

const ASKER: Flag = {
  flag: '--asker',
  key: 'asker',
  expects: 'a device or an address',
  otherwise: 'this device',
  help: 'who asks',
};
const SERVICE_FLAGS: readonly Flag[] = CONFIG_FLAGS;
const NAME: Operand = { name: 'name' };

/** All verbs, in the order of `nymote help`. */
export const VERBS: readonly Verb[] = [
  {
    name: 'serve',
    operands: [],
    flags: SERVICE_FLAGS,
    help: 'run the service in the foreground',
    example: 'serve --dns 127.0.0.1:5300 --data ./data',
  },
  {
    name: 'join',
    operands: [{ name: 'endpoint' }, { name: 'code', optional: true }],
    flags: [...SERVICE_FLAGS, AUTO_CONFIRM],
    help: 'make this machine one of your devices, with a code from `device add --node` on the first',
    example: 'join 192.168.1.1:51821',
  },
  {
    name: 'resolver',
    operands: [{ name: 'type', optional: true }],
    flags: [
      {
        flag: '--config',
        short: '-c',
        key: 'config',
        expects: 'a path',
        help: 'JSON file with its settings',
      },
      {
        flag: '--explain',
        key: 'explain',
        expects: 'a name',
        help: 'only tell how its answer comes about',
      },
    ],
    help: 'run nothing but the resolver in the foreground, without data or keys',
    example: 'resolver --config resolver.json',
  },
  ...HUB_VERBS,
  { name: 'status', operands: [], flags: [DATA], help: 'say how things are' },
  {
    name: 'device add',
    operands: [NAME],
    flags: [
      DATA,
      { flag: '--node', key: 'node', help: 'a machine that runs nymote: prints a one-time code' },
      {
        flag: '--plain',
        key: 'plain',
        help: 'a phone with the WireGuard app (default): prints a QR code',
      },
      ROLE,
      AUTO_CONFIRM,
    ],
    help: 'add a device',
    example: 'device add desktop --node',
  },
  ...ENROL_VERBS,
  { name: 'device list', operands: [], flags: [DATA], help: 'list the devices' },
  {
    name: 'device remove',
    operands: [NAME],
    flags: [DATA],
    help: 'remove a device, its name and its tunnel',
    example: 'device remove phone',
  },
  { name: 'rule list', operands: [], flags: [DATA], help: "list your rules and nymote's own" },
  {
    name: 'rule set',
    operands: [NAME, { name: 'json' }],
    flags: [DATA],
    help: 'write a rule: {"tier","effect","who","do","what","when","note"}',
    example:
      'rule set no-nas \'{"tier":"rule","effect":"deny","who":{"any":["device:phone"]},"do":["connect"],"what":{"any":["device:nas"]}}\'',
  },
  {
    name: 'rule remove',
    operands: [NAME],
    flags: [DATA],
    help: 'remove a rule of yours',
    example: 'rule remove no-nas',
  },
  ...UPSTREAM_VERBS,
  { name: 'zone show', operands: [], flags: [DATA], help: 'print all names and their addresses' },
  {
    name: 'zone anchor',
    operands: [],
    flags: [
      DATA,
      {
        flag: '--format',
        key: 'format',
        expects: 'delv, unbound, ds or dnskey',
        otherwise: 'delv',
        help: 'for whom',
      },
    ],
    help: 'print the key that others can check your names with',
    example: 'zone anchor --format unbound',
  },
  {
    name: 'explain',
    operands: [NAME, { name: 'type', optional: true }],
    flags: [
      DATA,
      ASKER,
      { flag: '--fresh', key: 'fresh', help: 'walk from the root, past everything cached' },
    ],
    help: 'tell how an answer comes about: servers, chain of trust, verdict, cache, ruling',
    example: 'explain www.example.org AAAA',
  },
  {
    name: 'why',
    operands: [NAME, { name: 'line', optional: true }, { name: 'type', optional: true }],
    flags: [
      DATA,
      ASKER,
      {
        flag: '--verb',
        key: 'verb',
        expects: 'resolve or connect',
        otherwise: 'resolve',
        help: 'what for',
      },
      {
        flag: '--at',
        key: 'at',
        expects: 'a date and time',
        otherwise: 'now',
        help: 'when',
      },
    ],
    help: 'say whether a name may be asked for or reached, and by which rule; or where a line comes from: why wg0.peer.phone, why uci network.lan.ipaddr, why dns laptop.alice.nymote AAAA',
    example: 'why nas --asker phone --verb connect',
  },
  ...APPLY_VERBS,
  {
    name: 'log',
    operands: [],
    flags: [
      DATA,
      {
        flag: '--limit',
        key: 'limit',
        expects: 'a number',
        otherwise: '20',
        help: 'at most so many changes',
      },
      { flag: '--path', key: 'path', expects: 'a path', help: 'only changes of it, e.g. devices' },
      { flag: '--device', key: 'device', expects: 'a device', help: 'only what it wrote' },
      { flag: '--grep', key: 'grep', expects: 'words', help: 'only where the reason has them' },
      { flag: '--what', key: 'what', help: 'say below each what it changed' },
    ],
    help: 'list the changes, newest first',
    example: 'log --path rules --limit 5',
  },
  {
    name: 'diff',
    operands: [
      { name: 'from', optional: true },
      { name: 'to', optional: true },
    ],
    flags: [DATA],
    help: 'what changed between two entries of the log (default: in the last one)',
    example: 'diff 3f2a91 9c01d4',
  },
  ...HISTORY_VERBS,
  ...DRAFT_VERBS,
  {
    name: 'signers',
    operands: [],
    flags: [DATA],
    help: "print the keys that signed the history, as git's allowed signers file",
  },
  {
    name: 'token add',
    operands: [NAME],
    flags: [
      DATA,
      { flag: '--days', key: 'days', expects: 'a number', otherwise: '30', help: 'valid so long' },
    ],
    help: 'make a token for the API or for git, shown once',
    example: 'token add dashboard --days 365',
  },
  { name: 'token list', operands: [], flags: [DATA], help: 'list the tokens' },
  {
    name: 'token remove',
    operands: [{ name: 'id' }],
    flags: [DATA],
    help: 'make a token worthless',
    example: 'token remove 7c1d',
  },
  {
    name: 'sign-in',
    operands: [],
    flags: [DATA],
    help: 'print a link that opens the admin page, once',
  },
  {
    name: 'doctor',
    operands: [],
    flags: [DATA],
    help: 'check what nymote needs from this machine',
  },
  {
    name: 'recovery show',
    operands: [],
    flags: [DATA],
    help: 'show the words that bring everything back, to be written on paper',
  },
  {
    name: 'recovery written',
    operands: [],
    flags: [DATA],
    help: 'have this machine forget them: they are on paper',
  },
  {
    name: 'exchange',
    operands: [],
    flags: [DATA],
    help: 'say with whom changes are exchanged, and when that worked last',
  },
  {
    name: 'hub join',
    operands: [{ name: 'url' }],
    flags: [
      DATA,
      { flag: '--invite', key: 'invite', expects: 'a code', help: 'from whoever runs the hub' },
    ],
    help: 'have your devices exchange their changes, sealed, through a hub',
    example: 'hub join https://hub.example.org --invite CODE',
  },
  { name: 'hub leave', operands: [], flags: [DATA], help: 'use no hub any more' },
  ...NAME_VERBS,
  ...TOGETHER_VERBS,
  ...BACKUP_VERBS,
  { name: 'version', operands: [], flags: [], help: 'print the version' },
];
