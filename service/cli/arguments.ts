/**
 * The command line as data: one table of verbs, and a reader that blames precisely.
 *
 * Flags come after the verb, as `--flag value` or `--flag=value`, few also as `-f value`; a flag
 * without value in the table is a switch.
 */

import { CONFIG_FLAGS } from '../config.ts';

export type Flag = {
  /** With its dashes. */
  readonly flag: string;
  /** One letter for it, with its dash. */
  readonly short?: string;
  /** Key in the result. */
  readonly key: string;
  /** What the value is; absent for a switch. */
  readonly expects?: string;
  readonly help: string;
  /** What holds without the flag. */
  readonly otherwise?: string;
};

export type Verb = {
  /** As typed: `device add`. */
  readonly name: string;
  readonly operands: readonly Operand[];
  readonly flags: readonly Flag[];
  readonly help: string;
};

export type Operand = { readonly name: string; readonly optional?: true };

export type Invocation = {
  readonly verb: Verb;
  readonly operands: Readonly<Record<string, string>>;
  readonly flags: Readonly<Record<string, string>>;
};

/** Flags that every verb takes. */
export const COMMON_FLAGS: readonly Flag[] = [
  { flag: '--json', key: 'json', help: 'print JSON' },
  { flag: '--help', key: 'help', help: 'print this help' },
];

const DATA: Flag = {
  flag: '--data',
  key: 'data',
  expects: 'a path',
  otherwise: './data',
  help: 'data directory of the service',
};
const SERVICE_FLAGS: readonly Flag[] = CONFIG_FLAGS;
const NAME: Operand = { name: 'name' };
const OPTION: Operand = { name: 'option' };
const ON_DEVICE: Flag = {
  flag: '--device',
  key: 'device',
  expects: 'a device',
  otherwise: 'this one',
  help: 'of which router',
};

/** All verbs, in the order of `nymote help`. */
export const VERBS: readonly Verb[] = [
  { name: 'serve', operands: [], flags: SERVICE_FLAGS, help: 'run the service in the foreground' },
  {
    name: 'join',
    operands: [{ name: 'endpoint' }, { name: 'code' }],
    flags: SERVICE_FLAGS,
    help: 'make this machine one of your devices, with a code from `device add --node` on the first',
  },
  {
    name: 'resolver',
    operands: [],
    flags: [
      {
        flag: '--config',
        short: '-c',
        key: 'config',
        expects: 'a path',
        help: 'JSON file with its settings',
      },
    ],
    help: 'run nothing but the resolver in the foreground, without data or keys',
  },
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
    ],
    help: 'add a device',
  },
  { name: 'device list', operands: [], flags: [DATA], help: 'list the devices' },
  {
    name: 'device remove',
    operands: [NAME],
    flags: [DATA],
    help: 'remove a device, its name and its tunnel',
  },
  { name: 'rule list', operands: [], flags: [DATA], help: "list your rules and nymote's own" },
  {
    name: 'rule set',
    operands: [NAME, { name: 'json' }],
    flags: [DATA],
    help: 'write a rule: {"tier","effect","who","do","what","when","note"}',
  },
  { name: 'rule remove', operands: [NAME], flags: [DATA], help: 'remove a rule of yours' },
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
  },
  {
    name: 'why',
    operands: [NAME, { name: 'line', optional: true }, { name: 'type', optional: true }],
    flags: [
      DATA,
      {
        flag: '--asker',
        key: 'asker',
        expects: 'a device or an address',
        otherwise: 'this device',
        help: 'who asks',
      },
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
  },
  {
    name: 'option set',
    operands: [OPTION, { name: 'value' }],
    flags: [
      DATA,
      ON_DEVICE,
      { flag: '--list', key: 'list', help: 'the value is a list, with commas' },
      {
        flag: '--first-on',
        key: 'firstOn',
        expects: 'a device',
        help: 'wait until that one has confirmed its own options',
      },
      { flag: '--note', key: 'note', expects: 'words', help: 'why' },
    ],
    help: 'set an option of a router (UCI), applied under its guard',
  },
  {
    name: 'option unset',
    operands: [OPTION],
    flags: [DATA, ON_DEVICE],
    help: 'let go of an option: it becomes what it was before',
  },
  { name: 'option list', operands: [], flags: [DATA], help: 'list the options' },
  {
    name: 'apply status',
    operands: [],
    flags: [DATA],
    help: 'say what is applied, what is pending, and how it went elsewhere',
  },
  {
    name: 'apply retry',
    operands: [],
    flags: [DATA],
    help: 'try a change again that was taken back',
  },
  {
    name: 'confirm',
    operands: [{ name: 'id', optional: true }],
    flags: [DATA],
    help: 'say that a pending change is good, on any of your devices',
  },
  {
    name: 'rollback',
    operands: [],
    flags: [DATA],
    help: 'take the pending change of this device back at once',
  },
  {
    name: 'drift',
    operands: [],
    flags: [
      DATA,
      { flag: '--heal', key: 'heal', help: 'put back what the head says' },
      { flag: '--adopt', key: 'adopt', help: 'make the head say what is there' },
    ],
    help: 'say how this device differs from the head',
  },
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
    ],
    help: 'list the changes, newest first',
  },
  {
    name: 'diff',
    operands: [
      { name: 'from', optional: true },
      { name: 'to', optional: true },
    ],
    flags: [DATA],
    help: 'what changed between two entries of the log (default: in the last one)',
  },
  {
    name: 'revert',
    operands: [{ name: 'commit' }],
    flags: [DATA],
    help: 'undo one entry of the log with a new one',
  },
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
  },
  { name: 'token list', operands: [], flags: [DATA], help: 'list the tokens' },
  {
    name: 'token remove',
    operands: [{ name: 'id' }],
    flags: [DATA],
    help: 'make a token worthless',
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
  { name: 'version', operands: [], flags: [], help: 'print the version' },
];

export type ArgumentProblem = { readonly problem: string; readonly verb?: Verb };

/** Reads the words after `nymote`. */
export function readArguments(words: readonly string[]): Invocation | ArgumentProblem {
  const verb = findVerb(words);
  if (verb === undefined) {
    return { problem: describeUnknown(words) };
  }
  const read = readWords(verb, words.slice(verb.name.split(' ').length));
  if (typeof read === 'string') return { problem: read, verb };
  const missing = verb.operands[read.operands.length];
  const isHelp = read.flags['help'] !== undefined;
  if (missing !== undefined && missing.optional !== true && !isHelp) {
    return { problem: `<${missing.name}> is missing`, verb };
  }
  const operands = read.operands.map((text, index) => [verb.operands[index]?.name ?? '', text]);
  return { verb, operands: Object.fromEntries(operands), flags: read.flags };
}

function findVerb(words: readonly string[]): Verb | undefined {
  const two = words.slice(0, 2).join(' ');
  return VERBS.find(({ name }) => name === two) ?? VERBS.find(({ name }) => name === words[0]);
}

function describeUnknown(words: readonly string[]): string {
  const [first = ''] = words;
  if (first === '' || first.startsWith('-')) return 'a command is missing';
  const family = VERBS.filter(({ name }) => name.startsWith(`${first} `)).map(({ name }) => name);
  if (family.length > 0) return `after '${first}' a word is missing: ${family.join(', ')}`;
  return `there is no command '${first}'`;
}

function readWords(
  verb: Verb,
  words: readonly string[],
): { readonly operands: readonly string[]; readonly flags: Record<string, string> } | string {
  const operands: string[] = [];
  const flags: Record<string, string> = {};
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? '';
    if (!isFlag(verb, word)) {
      if (operands.length === verb.operands.length) return `'${word}' is one word too many`;
      operands.push(word);
      continue;
    }
    const [name = '', ...rest] = word.split('=');
    const flag = findFlag(verb, name);
    if (flag === undefined)
      return `there is no flag ${name}; ${verb.name} takes ${flagNames(verb)}`;
    if (flag.expects === undefined) {
      flags[flag.key] = 'yes';
      continue;
    }
    const value = rest.length > 0 ? rest.join('=') : words[++index];
    if (value === undefined) return `${name} needs ${flag.expects}`;
    flags[flag.key] = value;
  }
  return { operands, flags };
}

const findFlag = (verb: Verb, word: string): Flag | undefined =>
  [...verb.flags, ...COMMON_FLAGS].find(({ flag, short }) => flag === word || short === word);

const isFlag = (verb: Verb, word: string): boolean =>
  word.startsWith('--') || findFlag(verb, word) !== undefined;

const flagNames = (verb: Verb): string =>
  [...verb.flags, ...COMMON_FLAGS].map(({ flag }) => flag).join(' ');

/** The overview, or the help of one verb. */
export function printHelp(verb?: Verb): string {
  if (verb === undefined) {
    const rows = VERBS.map((each) => [usage(each), each.help] as const);
    return [
      'nymote: your devices have names, signed by you; asking for one connects you.',
      '',
      ...columns(rows),
      '',
      'Every command takes --json and --help.',
      'Exit codes: 0 ok, 1 failed, 2 usage, 3 denied, 4 conflict, 5 unreachable.',
    ].join('\n');
  }
  const rows = [...verb.flags, ...COMMON_FLAGS].map(({ flag, short, expects, help, otherwise }) => {
    const words = [help, ...(expects ? [expects] : [])].join(': ');
    const names = short === undefined ? flag : `${flag}, ${short}`;
    return [names, otherwise === undefined ? words : `${words} (default ${otherwise})`] as const;
  });
  return [`nymote ${usage(verb)}`, `  ${verb.help}`, '', ...columns(rows)].join('\n');
}

const usage = (verb: Verb): string =>
  [
    verb.name,
    ...verb.operands.map(({ name, optional }) => (optional ? `[${name}]` : `<${name}>`)),
  ].join(' ');

function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.min(48, Math.max(...rows.map(([left]) => left.length)));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}
