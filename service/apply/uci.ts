/**
 * OpenWrt's configuration by its program `uci`: reading values, and writing some of them.
 *
 * Changes are gathered in a directory of our own. Unsaved ones of a person at the shell would be
 * committed with ours all the same (libuci reads /tmp/.uci always), so nothing is written while there
 * are any; LuCI's are elsewhere. libuci replaces each file by a rename (I7).
 *
 * @see https://openwrt.org/docs/guide-user/base-system/uci
 */

import { type Exec, RuntimeError } from '#runtime';
import {
  isOwnSection,
  isSameValue,
  type OptionLine,
  packageOf,
  parseOption,
  type UciValue,
} from './option.ts';

/** What a system holds: options, and under a section's name its type. */
export type UciValues = ReadonlyMap<string, UciValue>;

export type Uci = {
  /** Everything in these packages; one that is missing is empty. Fails with RuntimeError. */
  read(packages: readonly string[]): Promise<UciValues>;
  /**
   * Makes it so and has the services hear of it. Fails with RuntimeError, also when `mayCommit` does,
   * which is asked before each file is replaced.
   */
  write(lines: readonly OptionLine[], mayCommit?: () => Promise<void>): Promise<void>;
};

const STAGE = '/tmp/nymote-uci';
const TIMEOUT_MS = 30_000;
/** What `uci show` of one package may hold. */
const MAX_OUTPUT = 4 << 20;

/** The program `uci`. */
export function createUci(exec: Exec): Uci {
  const run = (...args: readonly string[]) =>
    exec('uci', ['-q', '-t', STAGE, ...args], { timeoutMs: TIMEOUT_MS });
  const must = async (...args: readonly string[]): Promise<void> => {
    const { exitCode, stderr } = await run(...args);
    // Values stay out of the words: they may be somebody's Wi-Fi.
    const what = `uci ${args[0] ?? ''} ${args[1]?.split('=', 1)[0] ?? ''}`;
    if (exitCode !== 0) throw new RuntimeError('io', `${what}: ${stderr.trim() || 'failed'}`);
  };
  const read: Uci['read'] = async (packages) => {
    const values = new Map<string, UciValue>();
    for (const name of packages) {
      const { exitCode, stdout } = await run('show', name);
      if (exitCode === 0) for (const [key, value] of parseUciShow(stdout)) values.set(key, value);
    }
    return values;
  };
  return {
    read,
    async write(lines, mayCommit = async () => undefined) {
      const packages = [...new Set(lines.map(({ option }) => packageOf(option)))];
      const before = await read(packages);
      const missing = lines.find(
        ({ option, value }) => value !== undefined && !hasHome(option, before, lines),
      );
      if (missing !== undefined) {
        throw new RuntimeError('not-found', `${missing.option}: there is no such section`);
      }
      for (const name of packages) await refuseUnsaved(exec, name);
      for (const name of packages) await run('revert', name);
      for (const line of inOrder(lines)) await writeLine(line, before, { run, must });
      for (const name of packages) {
        await mayCommit();
        await must('commit', name);
      }
      await reload(exec);
    },
  };
}

async function refuseUnsaved(exec: Exec, name: string): Promise<void> {
  const { stdout } = await exec('uci', ['-q', 'changes', name], { timeoutMs: TIMEOUT_MS });
  if (stdout.trim() === '') return;
  throw new RuntimeError(
    'refused',
    `somebody has unsaved changes of ${name}: uci commit ${name}, or uci revert ${name}`,
  );
}

type Runs = {
  readonly run: (...args: readonly string[]) => Promise<unknown>;
  readonly must: (...args: readonly string[]) => Promise<void>;
};

async function writeLine(
  { option, value }: OptionLine,
  before: UciValues,
  { run, must }: Runs,
): Promise<void> {
  if (value === undefined) {
    if (before.has(option)) await must('delete', option);
    return;
  }
  if (typeof value === 'string') return must('set', `${option}=${value}`);
  await run('delete', option);
  for (const item of value) await must('add_list', `${option}=${item}`);
}

/** Sections come before what is in them, and go after it. */
function inOrder(lines: readonly OptionLine[]): readonly OptionLine[] {
  const rank = ({ option, value }: OptionLine): number =>
    (parseOption(option)?.option === undefined ? 1 : 0) * (value === undefined ? 1 : -1);
  return lines.toSorted((a, b) => rank(a) - rank(b));
}

function hasHome(option: string, before: UciValues, lines: readonly OptionLine[]): boolean {
  const name = parseOption(option);
  if (name === undefined) return false;
  if (name.option === undefined) return isOwnSection(name.section);
  const section = `${name.package}.${name.section}`;
  return before.has(section) || lines.some((line) => line.option === section);
}

/** procd's triggers reload what reads a file that changed. */
async function reload(exec: Exec): Promise<void> {
  try {
    await exec('reload_config', [], { timeoutMs: TIMEOUT_MS });
  } catch (error) {
    if (!(error instanceof RuntimeError)) throw error;
    throw new RuntimeError(error.code, `reload_config: ${error.message}`, error);
  }
}

/** Reads what `uci show` prints; lines that are none are left out. */
export function parseUciShow(text: string): UciValues {
  const values = new Map<string, UciValue>();
  const bounded = text.slice(0, MAX_OUTPUT);
  let at = 0;
  while (at < bounded.length) {
    const equals = bounded.indexOf('=', at);
    if (equals < 0) break;
    const key = bounded.slice(at, equals);
    const { words, end } = readWords(bounded, equals + 1);
    const [first] = words;
    if (/^[A-Za-z0-9_.@[\]-]+$/.test(key) && first !== undefined) {
      values.set(key, words.length === 1 ? first : words);
    }
    at = end;
  }
  return values;
}

/** Words in quotes as a shell has them, or one without, up to the end of the line. */
function readWords(text: string, from: number): { readonly words: string[]; readonly end: number } {
  const words: string[] = [];
  let word = '';
  let isQuoted = false;
  let at = from;
  for (; at < text.length; at++) {
    const character = text.charAt(at);
    if (character === "'") isQuoted = !isQuoted;
    else if (isQuoted) word += character;
    else if (character === '\\') word += text.charAt(++at);
    else if (character === '\n') break;
    else if (character === ' ') {
      words.push(word);
      word = '';
    } else word += character;
  }
  return { words: [...words, word], end: at + 1 };
}

/** Lines that are not so. */
export function differing(lines: readonly OptionLine[], found: UciValues): readonly OptionLine[] {
  return lines.filter(({ option, value }) => !isSameValue(value, found.get(option)));
}
