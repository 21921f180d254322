/**
 * Which place a text means.
 *
 *     /mnt/usb/nymote                        a directory
 *     https://cloud.example/dav/nymote/      WebDAV; another nymote has `#sha256=<pin>` at its end
 *     s3+https://s3.example/bucket/prefix    an S3-compatible store, path style
 */

import type { Files, Runtime } from '#runtime';
import { BackupError } from './error.ts';
import type { Line } from './keep/line.ts';
import { type Credentials, type Target, translated } from './target.ts';

/** Opens the target that `text` means; `credentials` is the path of a JSON file. */
export async function openTarget(
  runtime: Pick<Runtime, 'files' | 'http' | 'clock'>,
  text: string,
  credentials = '',
): Promise<Target> {
  if (/^s3\+https?:\/\//.test(text)) {
    const known = await readCredentials(runtime.files, credentials);
    if (known === undefined) {
      throw new BackupError('bad-setting', 'an S3 store needs credentials: a file with them');
    }
    return (await import('./s3.ts')).s3Target(runtime, text, known);
  }
  if (/^https?:\/\//.test(text)) {
    const known = await readCredentials(runtime.files, credentials);
    return (await import('./webdav.ts')).webdavTarget(runtime, text, known);
  }
  const isPath = /^(\/|\.\/|\.\.\/|[^:]+$)/.test(text);
  if (text === '' || !isPath) {
    throw new BackupError(
      'bad-setting',
      `'${text}' is no place for a backup: a directory, https://… (WebDAV) or s3+https://host/bucket/…`,
    );
  }
  return directoryTarget(runtime.files, text);
}

/** Opens what another nymote keeps for us. */
export async function openLine(
  runtime: Pick<Runtime, 'http' | 'clock'>,
  { place, credentials }: Line,
): Promise<Target> {
  return (await import('./webdav.ts')).webdavTarget(runtime, place, credentials);
}

/** Reads `{"user": …, "secret": …}`, for S3 also `"region"`; undefined without a path. */
export async function readCredentials(
  files: Files,
  path: string,
): Promise<Credentials | undefined> {
  if (path === '') return undefined;
  const bytes = await files.read(path);
  if (bytes === undefined) throw new BackupError('bad-setting', `${path} is not there`);
  const bad = new BackupError(
    'bad-setting',
    `${path} is no file of credentials: {"user": "…", "secret": "…"}`,
  );
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    // What the parser says may quote the secret.
    throw bad;
  }
  const { user, secret, region } = (value ?? {}) as Record<string, unknown>;
  if (typeof user !== 'string' || typeof secret !== 'string') throw bad;
  return { user, secret, ...(typeof region === 'string' ? { region } : {}) };
}

const SECRET_MODE = 0o600;

function directoryTarget(files: Files, path: string): Target {
  const directory = path.replace(/(.)\/+$/, '$1');
  return {
    name: directory,
    list: () => translated(directory, () => files.list(directory)),
    get: (name) => translated(directory, () => files.read(`${directory}/${name}`)),
    put: (name, bytes) =>
      translated(directory, async () => {
        await files.makeDirectory(directory, 0o700);
        await files.replace(`${directory}/${name}`, bytes, SECRET_MODE);
      }),
    remove: (name) => translated(directory, () => files.remove(`${directory}/${name}`)),
  };
}
