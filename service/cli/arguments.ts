/**
 * Reads the command line by its vocabulary, and blames precisely.
 *
 * Flags come after the verb, as `--flag value` or `--flag=value`, few also as `-f value`; a flag
 * without value in the table is a switch.
 */

import type { Flag, Verb } from './verb.ts';
import { COMMON_FLAGS, VERBS } from './vocabulary.ts';

export type Invocation = {
  readonly verb: Verb;
  readonly operands: Readonly<Record<string, string>>;
  readonly flags: Readonly<Record<string, string>>;
};

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

const familyOf = (word: string): readonly Verb[] =>
  VERBS.filter(({ name }) => name.startsWith(`${word} `));

function describeUnknown(words: readonly string[]): string {
  const [first = ''] = words;
  if (first === '' || first.startsWith('-')) return 'a command is missing';
  const family = familyOf(first).map(({ name }) => name);
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

/** The help about what the words begin with, or the overview; undefined where that is no command. */
export function printHelp(words: readonly string[]): string | undefined {
  const [first] = words;
  if (first === undefined) return OVERVIEW;
  const verb = findVerb(words);
  const family = familyOf(first);
  if (verb === undefined) return family.length === 0 ? undefined : printVerbs(family).join('\n');
  const others = verb.name === first ? family : [];
  return [printVerb(verb), ...(others.length === 0 ? [] : ['', ...printVerbs(others)])].join('\n');
}

const printVerbs = (verbs: readonly Verb[]): string[] =>
  columns(verbs.map((verb) => [usage(verb), verb.help] as const));

function printVerb(verb: Verb): string {
  const { help, example } = verb;
  const rows = [...verb.flags, ...COMMON_FLAGS].map((flag) => {
    const { expects, otherwise } = flag;
    const words = [flag.help, ...(expects ? [expects] : [])].join(': ');
    const names = flag.short === undefined ? flag.flag : `${flag.flag}, ${flag.short}`;
    return [names, otherwise === undefined ? words : `${words} (default ${otherwise})`] as const;
  });
  return [
    `nymote ${usage(verb)}`,
    `  ${help}`,
    ...(example === undefined ? [] : ['', `  For example: nymote ${example}`]),
    '',
    ...columns(rows),
  ].join('\n');
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

const OVERVIEW = [
  'nymote: your devices have names, signed by you; asking for one connects you.',
  '',
  ...printVerbs(VERBS),
  '',
  'Every command takes --json and --help; `nymote help COMMAND` says more about one.',
  'Exit codes: 0 ok, 1 failed, 2 usage, 3 denied, 4 conflict, 5 unreachable.',
].join('\n');
