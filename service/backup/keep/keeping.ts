/**
 * Keeping the backups of others: a friend's, or a second household's.
 *
 *     <data>/kept.json        whose (guests.ts)
 *     <data>/kept/<guest>/    their files (shelf.ts)
 *     <data>/kept/tls-*.pem   the key by which they know this machine; it stays the same
 *
 * A port of its own is listened on, under TLS only, while there is somebody to keep for (ADR 17).
 * What is kept is sealed: this machine sees names, sizes, dates, and how often it is written.
 */

import { type Runtime, RuntimeError } from '#runtime';
import { manifestNames, manifestNumbers, readManifest } from '#storage';
import { type Config, isAddress, printEndpoint, readEndpoint } from '../../config.ts';
import type { Current } from '../../current.ts';
import { createSerially } from '../../serially.ts';
import { BackupError } from '../error.ts';
import {
  digestOfToken,
  type Guest,
  type Guests,
  readGuests,
  readQuota,
  writeGuests,
} from './guests.ts';
import { isGuest, printLine } from './line.ts';
import { type Listening, listenForGuests } from './listen.ts';
import type { Host } from './serve.ts';
import { openShelf, type Shelf } from './shelf.ts';

/** A street's. */
const MAX_GUESTS = 64;
const TOKEN_BYTES = 32;
const DEFAULT_QUOTA = '1G';

/** What is asked of somebody's place here. */
export type KeepWish = {
  readonly name: string;
  readonly quota?: string | undefined;
  /** How others see this machine: a host name or address, and a port if that is another. */
  readonly at?: string | undefined;
  /** Whether somebody who has a line gets a new one. */
  readonly isRenewed?: boolean | undefined;
};

/** How it is with one guest. */
export type KeptView = {
  readonly name: string;
  readonly since: number;
  readonly quota: number;
  readonly used: number;
  readonly files: number;
  /** Of the newest list, as its device said; undefined while there is none. */
  readonly newest: { readonly number: number; readonly at: number } | undefined;
};

export type Keeping = AsyncDisposable & {
  /** The line is shown once; without one the quota was changed. */
  keep(wish: KeepWish): Promise<KeptView & { readonly line?: string; readonly port: number }>;
  list(): Promise<readonly KeptView[]>;
  /** Ends it, and deletes what is kept. */
  forget(name: string): Promise<{ readonly name: string; readonly files: number }>;
  readonly warnings: () => readonly string[];
};

type Needs = Pick<Current, 'own' | 'endpoints'>;

/** What is open. */
type House = {
  readonly runtime: Runtime;
  readonly config: Config;
  readonly current: Needs;
  readonly shelves: Map<string, Shelf>;
  guests: Guests;
  isDamaged: boolean;
  listening: Listening | undefined;
  problem: string | undefined;
};

/** Opens what is kept here, and listens if there is somebody to keep for. */
export async function openKeeping(
  runtime: Runtime,
  config: Config,
  current: Needs,
): Promise<Keeping> {
  const read = await readGuests(runtime.files, config.data);
  const house: House = {
    ...{ runtime, config, current, shelves: new Map(), guests: read ?? {} },
    ...{ isDamaged: read === undefined, listening: undefined },
    problem: read === undefined ? DAMAGED : undefined,
  };
  await resume(house);
  const serially = createSerially();
  return {
    keep: (wish) => serially(() => keep(house, wish)),
    list: () => Promise.all(Object.keys(house.guests).map((name) => look(house, name))),
    forget: (name) => serially(() => forget(house, name)),
    warnings: () => [
      ...(house.problem === undefined ? [] : [house.problem]),
      ...(house.listening?.warnings() ?? []),
    ],
    [Symbol.asyncDispose]: async () => house.listening?.[Symbol.asyncDispose](),
  };
}

/** A disk or a port that fails costs the guests, not the service. */
async function resume(house: House): Promise<void> {
  try {
    for (const [name, { isEnding = false }] of Object.entries(house.guests)) {
      if (isEnding) await forget(house, name);
      else await open(house, name);
    }
    if (Object.keys(house.guests).length > 0) await listen(house);
  } catch (thrown) {
    if (!(thrown instanceof RuntimeError)) throw thrown;
    house.problem = `The backups of others cannot be kept now: ${thrown.message}.`;
  }
}

const guestOf = ({ guests }: House, name: string): Guest | undefined =>
  Object.hasOwn(guests, name) ? guests[name] : undefined;

async function open({ runtime, config, shelves }: House, name: string): Promise<Shelf> {
  const shelf =
    shelves.get(name) ?? (await openShelf(runtime.files, `${config.data}/kept/${name}`));
  shelves.set(name, shelf);
  return shelf;
}

async function write(house: House, guests: Guests): Promise<void> {
  if (house.isDamaged) throw new BackupError('damaged', DAMAGED);
  await writeGuests(house.runtime.files, house.config.data, guests);
  house.guests = guests;
}

async function listen(house: House): Promise<Listening> {
  const { runtime, config, current, shelves } = house;
  const find = (name: string): Host | undefined => {
    const guest = guestOf(house, name);
    const shelf = shelves.get(name);
    return guest && shelf && guest.isEnding !== true ? { guest, shelf } : undefined;
  };
  house.listening ??= await listenForGuests(runtime, config, current, find);
  house.problem = undefined;
  return house.listening;
}

async function keep(house: House, wish: KeepWish): ReturnType<Keeping['keep']> {
  const { runtime, config, current } = house;
  const { name } = wish;
  const { guest, token } = decide(runtime, wish, house.guests);
  const host = hostOf(wish, config, current);
  const { pin } = await listen(house);
  await open(house, name);
  await write(house, { ...house.guests, [name]: guest });
  const line = token && printLine({ host, guest: name, token, pin });
  return {
    ...(await look(house, name)),
    port: config.keepPort,
    ...(line === undefined ? {} : { line }),
  };
}

async function forget(house: House, name: string): ReturnType<Keeping['forget']> {
  const guest = guestOf(house, name);
  if (guest === undefined) {
    throw new BackupError('bad-setting', `nothing is kept for '${name}': nymote backup kept`);
  }
  // First nobody comes in any more; what a crash leaves of the rest is done at the next start.
  await write(house, { ...house.guests, [name]: { ...guest, isEnding: true } });
  const files = await (await open(house, name)).clear();
  const { [name]: _, ...others } = house.guests;
  await write(house, others);
  house.shelves.delete(name);
  if (Object.keys(others).length === 0) {
    await house.listening?.[Symbol.asyncDispose]();
    house.listening = undefined;
  }
  return { name, files };
}

const DAMAGED =
  'kept.json is damaged: nobody reaches what is kept for them. Put a copy of it back, or move it away and give everybody a new line: what is kept is still there.';

/** What is written down of a guest, and a token if it gets one. */
function decide(
  { crypto, random, clock }: Pick<Runtime, 'crypto' | 'random' | 'clock'>,
  { name, quota, isRenewed = false }: KeepWish,
  guests: Guests,
): { readonly guest: Guest; readonly token?: string } {
  if (!isGuest(name))
    throw new BackupError('bad-setting', `'${name}' is no name of a–z, 0–9 and -`);
  const before = Object.hasOwn(guests, name) ? guests[name] : undefined;
  if (before === undefined && Object.keys(guests).length >= MAX_GUESTS) {
    throw new BackupError('no-space', 'this machine keeps the backups of enough others');
  }
  if (before !== undefined && !isRenewed) {
    if (quota !== undefined) return { guest: { ...before, quota: readQuota(quota) } };
    throw new BackupError(
      'not-blank',
      `${name} has a line already; --renew makes a new one and the old one worthless, --quota changes how much is kept`,
    );
  }
  const token = Buffer.from(random(TOKEN_BYTES)).toString('base64url');
  const guest = {
    token: digestOfToken(crypto, token),
    quota: quota === undefined ? (before?.quota ?? readQuota(DEFAULT_QUOTA)) : readQuota(quota),
    since: before?.since ?? Math.floor(clock.now()),
  };
  return { guest, token };
}

/** How others see this machine: as they say, as the settings say, or by an address of its own. */
function hostOf(
  { at }: KeepWish,
  { endpoints: [configured], keepPort: port }: Config,
  { endpoints }: Needs,
): string {
  if (at !== undefined) {
    const endpoint = readEndpoint(at, port);
    if (endpoint !== undefined) return printEndpoint(endpoint);
    const [, name = '', digits = String(port)] = HOST.exec(at) ?? [];
    if (name !== '' && Number(digits) > 0 && Number(digits) < 65_536) return `${name}:${digits}`;
    throw new BackupError('bad-setting', `--at: '${at}' is no name or address of a machine`);
  }
  const own = endpoints().flatMap((text) => readEndpoint(text)?.address ?? [])[0];
  const address = configured ?? own ?? '127.0.0.1';
  return printEndpoint({ address: isAddress(address) ? address : '127.0.0.1', port });
}

const HOST = /^((?=.{1,253}(?::|$))[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)(?::([0-9]{1,5}))?$/i;

async function look(house: House, name: string): Promise<KeptView> {
  const { runtime, config } = house;
  const { files, crypto } = runtime;
  const shelf = await open(house, name);
  const kept = await shelf.list();
  const [number] = manifestNumbers(kept.map((each) => each.name));
  const names = number === undefined ? undefined : manifestNames(number);
  const list = names && (await files.read(`${config.data}/kept/${name}/${names.list}`));
  const sig = names && (await files.read(`${config.data}/kept/${name}/${names.sig}`));
  const found = list && sig && readManifest(crypto, list, sig)?.manifest;
  const { since = 0, quota = 0 } = guestOf(house, name) ?? {};
  return {
    ...{ name, since, quota, used: shelf.used(), files: kept.length },
    newest: found && { number: found.number, at: found.at },
  };
}
