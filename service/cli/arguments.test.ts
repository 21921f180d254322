import { expect, test } from 'vitest';
import { parseRule } from '#policy';
import { printHelp, readArguments } from './arguments.ts';
import { DATA } from './verb.ts';
import { VERBS } from './vocabulary.ts';

test.each([
  {
    line: 'device add phone',
    verb: 'device add',
    operands: { name: 'phone' },
    flags: {},
    why: 'two words are one verb',
  },
  {
    line: 'why nas --verb connect',
    verb: 'why',
    operands: { name: 'nas' },
    flags: { verb: 'connect' },
    why: 'a flag takes the next word',
  },
  {
    line: 'why nas --verb=connect',
    verb: 'why',
    operands: { name: 'nas' },
    flags: { verb: 'connect' },
    why: 'or what follows =',
  },
  { line: 'diff', verb: 'diff', operands: {}, flags: {}, why: 'optional operands may be missing' },
  {
    line: 'device add --help',
    verb: 'device add',
    operands: {},
    flags: { help: 'yes' },
    why: 'help needs no operands',
  },
  {
    line: 'serve --dns 127.0.0.1:53 --json',
    verb: 'serve',
    operands: {},
    flags: { dns: '127.0.0.1:53', json: 'yes' },
    why: 'settings are flags',
  },
  {
    line: 'resolver -c bare.json',
    verb: 'resolver',
    operands: {},
    flags: { config: 'bare.json' },
    why: 'few flags have a letter',
  },
])('$line: $why', ({ line, verb, operands, flags }) => {
  expect(readArguments(line.split(' '))).toMatchObject({ verb: { name: verb }, operands, flags });
});

test.each([
  { words: [], problem: 'a command is missing', why: 'nothing typed' },
  { words: ['fly'], problem: "there is no command 'fly'", why: 'unknown verb' },
  { words: ['device', 'add'], problem: '<name> is missing', why: 'operand missing' },
  { words: ['status', 'now'], problem: "'now' is one word too many", why: 'operand too many' },
  {
    words: ['why', 'nas', '--verb'],
    problem: '--verb needs resolve or connect',
    why: 'value missing',
  },
  {
    words: ['log', '--lmit', '3'],
    problem:
      'there is no flag --lmit; log takes --data --limit --path --device --grep --what --json --help',
    why: 'the accepted ones are named',
  },
])('$words: $why', ({ words, problem }) => {
  expect(readArguments(words)).toMatchObject({ problem });
});

test('every verb appears in the help, and has help of its own', () => {
  for (const { name, help } of VERBS) {
    expect(printHelp([])).toContain(name);
    expect(printHelp(name.split(' '))).toContain(`nymote ${name}`);
    expect(printHelp(name.split(' '))).toContain(help);
  }
});

test.each([
  {
    words: ['backup'],
    has: ['--recipient', 'For example: nymote backup --to', 'backup drill'],
    lacks: 'device add',
    why: 'a verb, with those that begin like it',
  },
  {
    words: ['backup', 'drill'],
    has: ['nymote backup drill', '--credentials', 'For example: nymote backup drill --to'],
    lacks: '--recipient',
    why: 'a verb of two words',
  },
  { words: ['device'], has: ['device add <name>'], lacks: 'backup', why: 'half of one' },
  { words: ['why', 'nas'], has: ['--asker'], lacks: 'explain', why: 'operands say nothing' },
])('help about $words is nothing else: $why', ({ words, has, lacks }) => {
  const help = printHelp(words);
  for (const text of has) expect(help).toContain(text);
  expect(help).not.toContain(lacks);
});

test('of what is no command there is no help', () => {
  expect(printHelp(['fly'])).toBeUndefined();
});

test.each(VERBS)('$name shows how it is typed, if there is more to type than that', (verb) => {
  const { name, operands, flags, example } = verb;
  if (operands.length + flags.filter((flag) => flag !== DATA).length === 0) {
    expect(example).toBeUndefined();
    return;
  }
  expect(readArguments(wordsOf(example ?? ''))).toMatchObject({ verb: { name } });
});

test('the example of a rule is one', () => {
  const { example = '' } = VERBS.find(({ name }) => name === 'rule set') ?? {};
  const [, , id, json = ''] = wordsOf(example);
  expect(parseRule({ ...JSON.parse(json), id })).toMatchObject({ ok: true });
});

/** As a shell takes words apart. */
const wordsOf = (line: string): string[] =>
  [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(([, a, b, c]) => a ?? b ?? c ?? '');
