/** `backup to`, and `backup keep` with its kin: what is asked of the service, and what it says. */

import type { Runtime } from '#runtime';
import { BackupError } from '../backup/error.ts';
import type { KeptView } from '../backup/keep/keeping.ts';
import { parseLine } from '../backup/keep/line.ts';
import { translated } from '../backup/target.ts';
import type { Invocation } from './arguments.ts';
import { date, table } from './print.ts';

/** What these verbs add to a wish; the line is read where no other user sees it. */
export async function keepWish(
  { files }: Pick<Runtime, 'files'>,
  { verb, flags, operands }: Invocation,
): Promise<Readonly<Record<string, unknown>>> {
  switch (verb.name) {
    case 'backup to':
      return flags['off'] === undefined ? { line: await readLine(files, flags['line-file']) } : {};
    case 'backup keep': {
      const { quota, at } = flags;
      const isRenewed = flags['renew'] !== undefined;
      return { name: operands['name'], quota, at, isRenewed };
    }
    case 'backup forget':
      return { name: operands['name'] };
    default:
      return {};
  }
}

async function readLine(files: Runtime['files'], path: string | undefined): Promise<string> {
  if (path !== undefined) {
    const bytes = await translated(path, () => files.read(path));
    if (bytes === undefined) throw new BackupError('bad-setting', `${path} is not there`);
    return new TextDecoder().decode(bytes);
  }
  if (process.stdin.isTTY) process.stderr.write('The line (nymote-backup:…): ');
  let text = '';
  for await (const chunk of process.stdin) {
    text += String(chunk);
    if (text.includes('\n') && parseLine(text) !== undefined) break;
  }
  return text;
}

/** What `backup keep` printed for the service's answer. */
export type KeepDone = Partial<KeptView> & {
  readonly line?: string;
  readonly port?: number;
  readonly guests?: readonly KeptView[];
  readonly isForgotten?: boolean;
};

/** A new line with what to do with it, or what holds from now on. */
export function printKept({ name = '', quota = 0, line, port }: KeepDone): string {
  if (line === undefined) return `${name} may fill ${size(quota)} here.`;
  return [
    line,
    '',
    `This line is shown once: give it to ${name} on a way that you trust. There it goes into:`,
    '  nymote backup to',
    `${name} may fill ${size(quota)} here, sealed: you cannot read it. They have to reach TCP port ${port}`,
    'of this machine under the name or address in the line; --at says another.',
  ].join('\n');
}

/** Whose backups are here. */
export function printGuests({ guests = [] }: KeepDone): string {
  if (guests.length === 0) return 'Nothing is kept for others.';
  const rows = guests.map(({ name, used, quota, files, since, newest }) => [
    ...[name, size(used), size(quota), String(files), date(since)],
    newest === undefined ? 'none yet' : `number ${newest.number} of ${date(newest.at)}`,
  ]);
  return table([['WHOSE', 'KEPT', 'OF', 'FILES', 'SINCE', 'NEWEST'], ...rows]);
}

/** How a first backup there went, or that there will be none. */
export const printMoved = (done: KeepDone, made: string): string =>
  done.isForgotten === undefined
    ? `${made}\nFrom now on one is made there every day.`
    : printForgotten(done);

const printForgotten = ({ isForgotten }: KeepDone): string =>
  isForgotten === true
    ? 'No more backups go there. What is there stays until its keeper forgets it.'
    : 'No line was saved here.';

function size(bytes: number): string {
  const unit = UNITS.findLast(([each]) => bytes >= each) ?? [1, 'bytes'];
  const [each, word] = unit;
  return `${Number((bytes / each).toFixed(1))} ${word}`;
}

const UNITS: readonly (readonly [number, string])[] = [
  [1, 'bytes'],
  [2 ** 10, 'KiB'],
  [2 ** 20, 'MiB'],
  [2 ** 30, 'GiB'],
  [2 ** 40, 'TiB'],
];
