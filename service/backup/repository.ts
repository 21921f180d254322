/**
 * Somebody's git repository as objects: a clone's directory, a plain HTTP server, or a bundle.
 *
 * Packs are read whole, loose objects one by one as they are asked for. Not read: alternates,
 * reftables, packs that build on objects outside all packs.
 *
 * @see gitrepository-layout(5)
 */

import type { Crypto, Files, Runtime } from '#runtime';
import {
  isBundle,
  type Objects,
  readLoose,
  readPack,
  type Store,
  takeBundle,
  takeHistory,
} from '#storage';
import { BackupError } from './error.ts';
import { basic, readBody } from './http-target.ts';
import type { Report } from './read.ts';
import { type Credentials, translated } from './target.ts';

type Needs = Pick<Runtime, 'files' | 'http' | 'crypto' | 'clock'>;

/** The files of a bare repository. */
type Repository = {
  readonly name: string;
  readonly read: (path: string) => Promise<Uint8Array | undefined>;
  readonly packs: () => Promise<readonly string[]>;
  readonly heads: () => Promise<readonly string[]>;
};

/** A pack of somebody else's history; more is not read into memory. */
const MAX_FILE = 512 * 1024 * 1024;
/** What names branches and packs is text, read as a whole. */
const MAX_LIST = 4 * 1024 * 1024;
const COMMIT = /^[0-9a-f]{64}$/;
const PACK = /^pack-[0-9a-f]{40,64}\.pack$/;

/** Takes over what `source` holds: a bundle, a clone, or the address of either. */
export async function importInto(
  runtime: Needs,
  store: Store,
  source: string,
  report: Report,
  credentials?: Credentials,
): Promise<number> {
  const { crypto, files } = runtime;
  const get: Get = (url, limit = MAX_FILE) => fetchFile(runtime, url, credentials, limit);
  const taken = (done: number, of: number): void => report({ step: 'verify', done, of });
  const isAddress = /^https?:\/\//.test(source);
  const file = isAddress ? undefined : await readFile(files, source);
  const bundle = file ?? (source.endsWith('.bundle') ? await get(source) : undefined);
  if (bundle !== undefined) {
    if (isBundle(bundle)) return takeBundle(crypto, store, bundle, taken);
    throw new BackupError('damaged', `${source} is no git bundle (version 3, SHA-256)`);
  }
  const repository = isAddress ? remote(get, source) : await local(files, source);
  const heads = await repository.heads();
  if (heads.length === 0) {
    throw new BackupError('no-backup', `${source} is no clone of a history of nymote`);
  }
  report({ step: 'read', done: 0, of: 1 });
  const packs = await readPacks(crypto, repository);
  const find = async (id: string) => {
    for (const { find: inPack } of packs) {
      const object = inPack(id);
      if (object !== undefined) return object;
    }
    const loose = await repository.read(`objects/${id.slice(0, 2)}/${id.slice(2)}`);
    return loose && readLoose(loose);
  };
  return takeHistory(store, find, heads, taken);
}

async function readPacks(crypto: Crypto, repository: Repository): Promise<Objects[]> {
  const packs: Objects[] = [];
  for (const name of await repository.packs()) {
    const bytes = await repository.read(`objects/pack/${name}`);
    if (bytes === undefined) throw new BackupError('missing', `${repository.name}: no ${name}`);
    packs.push(await readPack(crypto, bytes));
  }
  return packs;
}

/** Undefined for a directory. */
async function readFile(files: Files, path: string): Promise<Uint8Array | undefined> {
  if ((await files.list(path)).length > 0) return undefined;
  const bytes = await translated(path, () => files.read(path));
  if (bytes === undefined) throw new BackupError('missing', `${path} is not there`);
  return bytes;
}

async function local(files: Files, path: string): Promise<Repository> {
  const isWorkTree = (await files.list(path)).includes('.git');
  const root = isWorkTree ? `${path}/.git` : path;
  const read = (name: string) => translated(path, () => files.read(`${root}/${name}`));
  return {
    name: path,
    read,
    packs: async () => (await files.list(`${root}/objects/pack`)).filter((name) => PACK.test(name)),
    async heads() {
      const names = ['HEAD'];
      for (const under of ['refs/heads', 'refs/remotes/origin']) {
        names.push(...(await files.list(`${root}/${under}`)).map((name) => `${under}/${name}`));
      }
      const loose = await Promise.all(names.map(async (name) => textOf(await read(name)).trim()));
      const packed = readRefs(textOf(await read('packed-refs')), ' ');
      return unique([...loose, ...packed]);
    },
  };
}

type Get = (url: string, limit?: number) => Promise<Uint8Array | undefined>;

function remote(get: Get, source: string): Repository {
  const base = source.replace(/\/+$/, '');
  const read = (name: string) => get(`${base}/${name}`);
  const readList = async (name: string) => textOf(await get(`${base}/${name}`, MAX_LIST));
  return {
    name: base,
    read,
    async packs() {
      const lines = (await readList('objects/info/packs')).split('\n');
      const names = lines.flatMap((line) => (line.startsWith('P ') ? [line.slice(2)] : []));
      return names.filter((name) => PACK.test(name));
    },
    heads: async () => unique(readRefs(await readList('info/refs'), '\t')),
  };
}

async function fetchFile(
  { http, clock }: Needs,
  url: string,
  credentials: Credentials | undefined,
  limit: number,
): Promise<Uint8Array | undefined> {
  if (!URL.canParse(url) || new URL(url).username !== '') {
    throw new BackupError('bad-setting', 'that is no address; a password goes into --credentials');
  }
  const headers = credentials === undefined ? {} : { authorization: basic(credentials) };
  return translated(url, async () => {
    const response = await http.fetch(new Request(url, { headers }));
    const body = await readBody(clock, url, response, limit);
    if (response.status === 404) return undefined;
    if (body.length > limit) throw new BackupError('damaged', `${url} is too large`);
    if (response.ok) return body;
    throw new BackupError(
      'unreachable',
      `${url} ${response.status === 401 ? 'asks who you are: --credentials' : `says ${response.status}`}`,
    );
  });
}

/** Names and commits, of branches and of those somebody else had. */
function readRefs(text: string, between: string): string[] {
  return text.split('\n').flatMap((line) => {
    const [id = '', name = ''] = line.split(between);
    return /^refs\/(heads|remotes\/origin)\//.test(name) ? [id] : [];
  });
}

const unique = (ids: readonly string[]): string[] => [
  ...new Set(ids.filter((id) => COMMIT.test(id))),
];

const textOf = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);
