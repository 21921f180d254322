import { expect, test } from 'vitest';
import { printHelp, readArguments } from './arguments.ts';
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
  for (const verb of VERBS) {
    expect(printHelp()).toContain(verb.name);
    expect(printHelp(verb)).toContain(verb.help);
  }
});
