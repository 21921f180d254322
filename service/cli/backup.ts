/**
 * `backup …` asks the running service; `restore` and `import` work where none runs.
 *
 * Long work says on standard error how far it is, in one line that changes, when people watch.
 */

import { openRecoveryPhrase, type PhraseProblem } from '#identity';
import { type Runtime, RuntimeError } from '#runtime';
import { openStore } from '#storage';
import type { BackupStatus } from '../backup/backups.ts';
import { BackupError } from '../backup/error.ts';
import { requireLine } from '../backup/keep/line.ts';
import type { Outcome as Run } from '../backup/ledger.ts';
import { openLine, openTarget, readCredentials } from '../backup/open-target.ts';
import type { Progress, Report } from '../backup/read.ts';
import type { Recovery } from '../backup/recovery.ts';
import { importInto } from '../backup/repository.ts';
import { explainRefusal, restore } from '../backup/restore.ts';
import type { Invocation } from './arguments.ts';
import { type KeepDone, keepWish, printGuests, printKept, printMoved } from './keep.ts';
import { date, table } from './print.ts';
import { EXIT, notRunning, type Outcome, socketPath } from './verbs.ts';

type Flags = Invocation['flags'];

/** What a service says at the end. */
type Done = {
  readonly number?: number;
  readonly heads?: readonly string[];
  readonly written?: readonly Listed[];
  readonly isFull?: boolean;
  readonly problem?: string;
  readonly manifest?: {
    readonly number: number;
    readonly at: number;
    readonly files: readonly Listed[];
  };
};

type Listed = {
  readonly name: string;
  readonly kind: string;
  readonly size: number;
  readonly commits: number;
  readonly at: number;
};

type Line = {
  readonly progress?: Progress;
  readonly done?: Done & Partial<Run> & Partial<BackupStatus> & KeepDone;
  readonly problem?: { readonly code: string; readonly message: string };
};

/** Runs `backup` and its kin through the running service. */
export async function runBackup(
  runtime: Pick<Runtime, 'http' | 'files'>,
  directory: string,
  invocation: Invocation,
): Promise<Outcome> {
  const { verb, flags } = invocation;
  const action = verb.name.split(' ')[1] ?? 'run';
  const report = reporter();
  try {
    const { target, credentials, recipients } = flags;
    const wish = {
      ...(target === undefined ? {} : { target: absolute(target) }),
      ...(credentials === undefined ? {} : { credentials: absolute(credentials) }),
      ...(recipients === undefined ? {} : { recipients }),
      ...(await keepWish(runtime, invocation)),
    };
    const line = await ask(runtime, directory, { action, wish }, report);
    report.clear();
    if (line.done === undefined) {
      const { code = 'io', message = 'the service broke off' } = line.problem ?? {};
      return refusal(flags, exitCodeOf(code), message, code);
    }
    const text = flags['json'] === undefined ? print(action, line.done) : asJson(line.done);
    const isBad = action === 'drill' && line.done.problem !== undefined;
    return { exitCode: isBad ? EXIT.failed : EXIT.ok, stdout: `${text}\n`, stderr: '' };
  } catch (thrown) {
    if (thrown instanceof BackupError) return explained(flags, thrown);
    if (!(thrown instanceof RuntimeError)) throw thrown;
    const { exitCode, message } = notRunning(thrown, directory);
    return refusal(flags, exitCode, message, thrown.code);
  }
}

async function ask(
  { http }: Pick<Runtime, 'http'>,
  directory: string,
  { action, wish }: { readonly action: string; readonly wish: object },
  report: Report,
): Promise<Line> {
  const request = new Request(`http://nymote/backup/${action}`, {
    method: 'POST',
    body: JSON.stringify(wish),
  });
  const response = await http.fetch(request, { path: socketPath(directory) });
  let last: Line = {};
  let rest = '';
  for await (const text of (response.body ?? new ReadableStream()).pipeThrough(
    new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>,
  )) {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      last = JSON.parse(line) as Line;
      if (last.progress !== undefined) report(last.progress);
    }
  }
  return last;
}

/** The service may have been started elsewhere. */
const absolute = (path: string): string =>
  /^[a-z0-9+]+:\/\//.test(path) || path.startsWith('/') ? path : `${process.cwd()}/${path}`;

function print(action: string, done: NonNullable<Line['done']>): string {
  switch (action) {
    case 'run':
      return printRun(done);
    case 'to':
      return printMoved(done, printRun(done));
    case 'keep':
      return printKept(done);
    case 'kept':
      return printGuests(done);
    case 'forget':
      return `${done.name}: nothing is kept any more.`;
    case 'drill':
      return printDrill(done);
    case 'list':
      return printList(done);
    default:
      return printSchedule(done);
  }
}

function printRun({ number, written = [], isFull, problem }: Done): string {
  const warning = problem === undefined ? [] : [`Note: ${problem}. A full backup was made.`];
  if (written.length === 0) return `Backup ${number} has everything; nothing was written.`;
  const bytes = written.reduce((sum, { size }) => sum + size, 0);
  const commits = written.reduce((sum, file) => sum + file.commits, 0);
  const kind = isFull ? 'everything' : 'what was new';
  return [
    ...warning,
    `Backup ${number}: ${kind}, ${counted(commits)}, ${bytes} bytes; read back and the same.`,
  ].join('\n');
}

function printDrill({ number, commits, seconds = 0, problem }: Partial<Run>): string {
  if (problem !== undefined) return `The drill failed: ${problem}`;
  return `Backup ${number} can be restored: ${counted(commits)} and the keys, all verified, in ${seconds.toFixed(1)} s.`;
}

function printList({ manifest }: Done): string {
  if (manifest === undefined) return 'There is no backup.';
  const rows = manifest.files.map(({ name, kind, size, commits, at }) => [
    ...[name, kind, String(size), kind === 'keys' ? '' : String(commits), date(at)],
  ]);
  return [
    `Backup ${manifest.number} of ${date(manifest.at)}`,
    table([['FILE', 'KIND', 'BYTES', 'COMMITS', 'OF'], ...rows]),
  ].join('\n');
}

function printSchedule({ target, backup, drill, nextBackup, nextDrill }: Partial<BackupStatus>) {
  const went = (what: string, run: Run | undefined): string =>
    run === undefined
      ? `There was no ${what} yet.`
      : `The last ${what}, ${date(run.at)}, to ${run.target}: ${run.problem ?? `number ${run.number}, good`}.`;
  const when = (what: string, at: number | undefined): string[] =>
    at === undefined ? [] : [`The next ${what} is due ${date(at)}.`];
  return [
    target ? `Every day to ${target}.` : 'Nothing is planned: the setting backup names no place.',
    ...[went('backup', backup), went('drill', drill)],
    ...[...when('backup', nextBackup), ...when('drill', nextDrill)],
  ].join('\n');
}

/** Brings a realm back into `directory`. */
export async function runRestore(
  runtime: Runtime,
  directory: string,
  { flags }: Invocation,
): Promise<Outcome> {
  const report = reporter();
  try {
    const { target: place, 'line-file': lineFile } = flags;
    if (place === undefined && lineFile === undefined) {
      return refusal(
        flags,
        EXIT.usage,
        'say where the backup is: --from PLACE or --line-file FILE',
      );
    }
    const target =
      lineFile === undefined
        ? await openTarget(runtime, place ?? '', flags['credentials'])
        : await openLine(runtime, requireLine(await readText(runtime, lineFile)));
    const opened = await readKeys(runtime, flags);
    if (typeof opened === 'string') return refusal(flags, EXIT.denied, opened, 'wrong-key');
    const restored = await restore(runtime, directory, target, { ...opened, report });
    report.clear();
    const { apex, commits, number, at, heads, damaged } = restored;
    const text = [
      `${apex} is back: ${counted(commits)}, all verified, and the keys. Head ${heads.join(', ')}.`,
      `This was backup ${number} of ${date(at)}. If you know of a later one, the place held it back.`,
      ...damaged.map(
        (later) => `Backup ${later.number} is later, and was passed over: ${later.why}.`,
      ),
      `Start it with: nymote serve --data ${directory}`,
      'The machine that had these keys before must not be started again: it would be the same device twice.',
    ].join('\n');
    const stdout = flags['json'] === undefined ? text : asJson(restored);
    return { exitCode: EXIT.ok, stdout: `${stdout}\n`, stderr: '' };
  } catch (thrown) {
    report.clear();
    return explained(flags, thrown);
  }
}

async function readKeys(
  runtime: Runtime,
  flags: Flags,
): Promise<{ identities: readonly string[]; phrase: Recovery | undefined } | string> {
  const identityFile = flags['identity-file'];
  if (identityFile !== undefined) {
    const text = await readText(runtime, identityFile);
    const identities = text.split('\n').filter((line) => line.startsWith('AGE-SECRET-KEY-'));
    if (identities.length === 0) return `${identityFile} holds no AGE-SECRET-KEY-…`;
    return { identities: identities.map((line) => line.trim()), phrase: undefined };
  }
  const file = flags['phrase-file'];
  const phrase = file === undefined ? await askPhrase() : await readText(runtime, file);
  const opened = await openRecoveryPhrase(runtime.crypto, phrase);
  if (!opened.ok) return PHRASE_PROBLEMS[opened.problem.reason](opened.problem);
  return { identities: [opened.keys.identity], phrase: opened.keys };
}

const PHRASE_PROBLEMS: Readonly<
  Record<PhraseProblem['reason'], (problem: PhraseProblem) => string>
> = {
  'too-long': () => 'that is too long for a recovery phrase: it has 24 words',
  'wrong-length': (problem) =>
    `a recovery phrase has 24 words, not ${'words' in problem ? problem.words : 'so many'}`,
  'unknown-word': (problem) =>
    `these words are not on the list: number ${'positions' in problem ? problem.positions.join(', ') : '?'}`,
  'bad-checksum': () => 'every word is one, but not all are right or in their place',
  'other-realm': () => 'that is the recovery phrase of another realm',
};

async function readText({ files }: Pick<Runtime, 'files'>, path: string): Promise<string> {
  const bytes = await files.read(path);
  if (bytes === undefined) throw new RuntimeError('not-found', `${path} is not there`);
  return new TextDecoder().decode(bytes);
}

/** As many lines as people need; never an argument, which everybody on the machine could read. */
async function askPhrase(): Promise<string> {
  if (process.stdin.isTTY) process.stderr.write('Recovery phrase (24 words): ');
  let text = '';
  for await (const chunk of process.stdin) {
    text += String(chunk);
    if (text.includes('\n') && text.trim().split(/\s+/).length >= 24) break;
  }
  return text;
}

/** Takes over a history into the store in `directory`. */
export async function runImport(
  runtime: Runtime,
  directory: string,
  { flags, operands }: Invocation,
): Promise<Outcome> {
  const report = reporter();
  const source = operands['source'] ?? '';
  try {
    await runtime.files.makeDirectory(directory, 0o700);
    const known = await runtime.files.read(`${directory}/realm`);
    const realm = known === undefined ? undefined : new TextDecoder().decode(known).trim();
    await using store = await openStore(runtime, {
      directory: `${directory}/store`,
      ...(realm === undefined ? {} : { realm }),
    });
    const credentials = await readCredentials(runtime.files, flags['credentials'] ?? '');
    const added = await importInto(runtime, store, source, report, credentials);
    report.clear();
    const { head } = store;
    const text = `${counted(added)} taken over, all verified. Head ${head}.${realm === undefined ? `\n${NO_KEYS}` : ''}`;
    const stdout = flags['json'] === undefined ? text : asJson({ added, head, realm: store.realm });
    return { exitCode: EXIT.ok, stdout: `${stdout}\n`, stderr: '' };
  } catch (thrown) {
    report.clear();
    return explained(flags, thrown);
  }
}

const counted = (commits = 0): string => (commits === 1 ? '1 commit' : `${commits} commits`);

const NO_KEYS =
  'There are no keys in a history: put device.json and zone.json of a backup beside it, or use `nymote restore`.';

/** A line on standard error that changes, for people. */
function reporter(): Report & { clear(): void } {
  const isWatched = process.stderr.isTTY;
  let shown = '';
  const report = ({ step, done, of }: Progress): void => {
    const text = `${WORDS[step] ?? step} ${of > 1 ? `${done} of ${of}` : ''}`;
    if (!isWatched || text === shown) return;
    shown = text;
    process.stderr.write(`\r\u001b[K${text}`);
  };
  const clear = (): void => {
    if (isWatched && shown !== '') process.stderr.write('\r\u001b[K');
  };
  return Object.assign(report, { clear });
}

const WORDS: Readonly<Record<string, string>> = {
  pack: 'Packing …',
  write: 'Writing …',
  read: 'Reading …',
  verify: 'Verifying commits:',
};

const asJson = (value: unknown): string => JSON.stringify(value, undefined, 2);

function explained(flags: Flags, thrown: unknown): Outcome {
  const message = explainRefusal(thrown);
  if (message === undefined) throw thrown;
  const code = thrown instanceof BackupError ? thrown.code : 'damaged';
  return refusal(flags, exitCodeOf(code), message, code);
}

function exitCodeOf(code: string): number {
  if (code === 'denied' || code === 'wrong-key' || code === 'untrusted') return EXIT.denied;
  if (code === 'not-blank' || code === 'not-ours' || code === 'stale') return EXIT.conflict;
  if (code === 'bad-setting' || code === 'no-recipient') return EXIT.usage;
  return code === 'unreachable' ? EXIT.unreachable : EXIT.failed;
}

function refusal(flags: Flags, exitCode: number, message: string, code = 'usage'): Outcome {
  const problem = { title: message, status: 0, code };
  const stdout = flags['json'] === undefined ? '' : `${asJson({ problem })}\n`;
  return { exitCode, stdout, stderr: `nymote: ${message}\n` };
}
