/**
 * The records that people add to their zone: each is one member of a set in the store, so that two
 * devices can add to one name at the same time.
 */

import { parseName, parseRecord, printRecord } from '#resolver';
import type { Json, Store } from '#storage';
import {
  type Author,
  type NamesBackend,
  type NamesView,
  type NewRecord,
  WebAdminError,
} from '#web-admin';
import type { House } from '../house.ts';
import { NameRecord, problemsOf } from '../records.ts';
import { commitOrPropose } from './propose.ts';
import { inApiWords, requireWriter } from './refusal.ts';

type Entry = NameRecord['records'][number];
type Ops = Parameters<Store['commit']>[0]['ops'];

const DEFAULT_TTL = 3_600;

/** As DNS has them, relative: labels of letters, digits, hyphens and underscores, or a star. */
const OWNER =
  /^(?:@|(?:\*|[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*)$/;

/** Makes that part of the backend. */
export function createNamesBackend(house: House): NamesBackend<Author> {
  const { store, projection, household } = house;
  const apex = (): string => projection().settings.apex;
  return {
    list: () => viewNames(store, apex()),
    async set(wanted, record, author) {
      requireWriter(house);
      const owner = relative(wanted, apex());
      const entry = entryOf(fullName(owner, apex()), apex(), record);
      const there = recordsOf(store, owner);
      const others = record.beside === true ? [] : there.filter(({ type }) => type === entry.type);
      const gone = others.filter((each) => !isSame(each, entry));
      if (there.some((each) => isSame(each, entry)) && gone.length === 0) return;
      const ops = [...gone.map((each) => change('rem', owner, each)), change('add', owner, entry)];
      await commit(author, ops, `${entry.type} of ${fullName(owner, apex())}`);
    },
    async remove(wanted, { type, data }, author) {
      requireWriter(house);
      const owner = relative(wanted, apex());
      const there = recordsOf(store, owner);
      const gone = there.filter(
        (each) =>
          (type === undefined || each.type === type.toUpperCase()) &&
          (data === undefined || each.data === data.trim()),
      );
      const name = fullName(owner, apex());
      const what = type === undefined ? 'records' : `${type.toUpperCase()} records`;
      if (gone.length === 0) {
        throw new WebAdminError('not-found', `${name} has no such ${what} of yours.`);
      }
      const ops: Ops =
        gone.length === there.length
          ? [{ op: 'del', path: `names/${owner}` }]
          : gone.map((each) => change('rem', owner, each));
      await commit(author, ops, `Remove ${what} of ${name}`);
    },
  };

  function commit({ via, ifHead }: Author, ops: Ops, message: string): Promise<void> {
    const draft = { ops, message, via, ...(ifHead === undefined ? {} : { ifHead }) };
    return inApiWords(() => commitOrPropose(store, household().self, draft));
  }
}

/** What is written, also where it does not fit and something older is in force. */
function viewNames(store: Store, apex: string): NamesView {
  const owners = [...(store.merged().get('names')?.keys() ?? [])];
  return {
    apex,
    names: owners
      .sort((a, b) => (a < b ? -1 : 1))
      .map((owner) => ({ owner, fqdn: fullName(owner, apex), records: recordsOf(store, owner) })),
  };
}

function recordsOf(store: Store, owner: string): Entry[] {
  const records = store.merged().get('names')?.get(owner)?.['records'];
  return Array.isArray(records) ? (records as unknown as Entry[]) : [];
}

function change(op: 'add' | 'rem', owner: string, entry: Entry): Ops[number] {
  const item = { path: `names/${owner}/records`, value: entry as Json };
  return op === 'add' ? { op, ...item } : { op, ...item };
}

/** As the zone prints it, so that two spellings of one record are one. */
function entryOf(fqdn: string, apex: string, { type, data, ttl = DEFAULT_TTL }: NewRecord): Entry {
  const wanted = type.toUpperCase();
  // One word is a name of this zone; what has dots is meant to be whole, unlike in a zone file.
  const isWord = !(data.trim().split(/\s+/).at(-1) ?? '').includes('.');
  const origin = isWord ? parseName(apex) : undefined;
  const line = `${fqdn}. ${ttl} IN ${wanted} ${data.trim()}`;
  const parsed = parseRecord(line, origin === undefined ? {} : { origin });
  if (!parsed.ok) {
    const words =
      parsed.reason === 'bad-type'
        ? `${wanted} is no type of records that can be written here`
        : `'${data}' is not what ${wanted} records say`;
    throw new WebAdminError('invalid', `${words}.`);
  }
  const entry = { type: wanted, ttl, data: printRecord(parsed.record).replace(/^(?:\S+ ){4}/, '') };
  const problems = problemsOf(NameRecord, { records: [entry] }, wanted);
  if (problems.length > 0) throw new WebAdminError('invalid', `${problems.join('; ')}.`);
  return entry;
}

const isSame = (a: Entry, b: Entry): boolean =>
  a.type === b.type && a.ttl === b.ttl && a.data === b.data;

/** `www`, `www.alice.nymote` and `WWW.alice.nymote.` are one name; the apex is `@`. */
function relative(wanted: string, apex: string): string {
  const text = wanted.toLowerCase().replace(/(?<=.)\.$/, '');
  const owner =
    text === apex ? '@' : text.endsWith(`.${apex}`) ? text.slice(0, -apex.length - 1) : text;
  if (!OWNER.test(owner))
    throw new WebAdminError('invalid', `'${wanted}' is not a name of your zone.`);
  return owner;
}

const fullName = (owner: string, apex: string): string =>
  owner === '@' ? apex : `${owner}.${apex}`;
