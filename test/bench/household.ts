/**
 * A household's history: three devices that write at the same time and meet now and then, names,
 * rules and addresses, most of it written many times. And the same changes as an Automerge document.
 */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as Automerge from '@automerge/automerge';
import { deviceId } from '#identity';
import type { Runtime } from '#runtime';
import { openStore, type Store } from '#storage';

const DEVICES = 3;
/** What each of them writes before they meet. */
const APART = 30;
const [NAMES, RULES, LEASES] = [120, 40, 60];

type Change = { readonly collection: string; readonly key: string; readonly value: Value };
type Value = { readonly [field: string]: string | number | boolean | readonly Value[] };

/** Writes `commits` commits; returns the directory of a device that has them all. */
export async function fillStore(
  runtime: Runtime,
  root: string,
  commits: number,
): Promise<{ readonly directory: string; readonly count: number }> {
  const writers = await Promise.all(Array.from({ length: DEVICES }, () => writer(runtime)));
  const [founder, ...others] = writers as [Writer, ...Writer[]];
  const directory = join(root, 'home-0');
  await using first = await openStore(runtime, { directory, writer: founder });
  for (const [at, { deviceId: id, signingKey }] of others.entries()) {
    const value = { role: 'owner', rank: at + 2, signingKey };
    const ops = [{ op: 'set', path: `devices/${id}`, value }] as const;
    await first.commit({ ops, message: `Admit ${id}`, via: 'bench' });
  }
  const homes = [first];
  await using stack = new AsyncDisposableStack();
  for (const [at, each] of others.entries()) {
    const there = { directory: join(root, `home-${at + 1}`), writer: each, realm: first.realm };
    homes.push(stack.use(await openStore(runtime, there)));
  }
  for (let number = 0; first.seq < commits; ) {
    await meet(homes);
    for (const home of homes) {
      for (let turn = 0; turn < APART; turn++) await write(home, changeOf(number++));
    }
    await meet(homes);
  }
  return { directory, count: first.seq };
}

/** Writes the same as an Automerge document; returns its file. */
export async function fillDocument(root: string, changes: number): Promise<string> {
  const empty = Automerge.from<Document>({ names: {}, rules: {}, leases: {} });
  let documents = Array.from({ length: DEVICES }, () => Automerge.clone(empty));
  for (let number = 0; number < changes; ) {
    documents = documents.map((each) => {
      let next = each;
      for (let turn = 0; turn < APART; turn++) next = put(next, changeOf(number++));
      return next;
    });
    const [first, ...others] = documents as [Doc, ...Doc[]];
    const all = others.reduce((sum, each) => Automerge.merge(sum, each), first);
    documents = [all, ...others.map((each) => Automerge.merge(each, all))];
  }
  const file = join(root, 'household.automerge');
  await writeFile(file, Automerge.save(documents[0] as Doc));
  return file;
}

type Document = Record<string, Record<string, Value>>;
type Doc = Automerge.Doc<Document>;

function put(document: Doc, { collection, key, value }: Change): Doc {
  return Automerge.change(document, `Set ${collection}/${key}`, (draft) => {
    (draft[collection] as Record<string, Value>)[key] = value;
  });
}

/** What is changed: mostly addresses, then names, seldom a rule. */
function changeOf(number: number): Change {
  const at = Math.floor(number / 10);
  if (number % 10 === 0) {
    const value = {
      action: number % 20 === 0 ? 'deny' : 'allow',
      from: 'guests',
      to: `n${at % NAMES}`,
    };
    return { collection: 'rules', key: `r${at % RULES}`, value };
  }
  if (number % 10 < 4) {
    const records = [{ data: `192.168.1.${number % 250}`, ttl: 60 + (number % 9), type: 'A' }];
    return { collection: 'names', key: `n${(at * 3 + number) % NAMES}`, value: { records } };
  }
  const value = {
    address: `192.168.1.${number % 250}`,
    name: `phone-${number % 97}`,
    seen: number,
  };
  return { collection: 'leases', key: `l${(number * 7) % LEASES}`, value };
}

async function write(store: Store, { collection, key, value }: Change): Promise<void> {
  const path = `${collection}/${key}`;
  const ops = [{ op: 'set', path, value }] as Parameters<Store['commit']>[0]['ops'];
  await store.commit({ ops, message: `Set ${path}`, via: 'bench' });
}

async function meet(homes: readonly Store[]): Promise<void> {
  for (let round = 0; round < 2; round++) {
    for (const from of homes) for (const to of homes) if (from !== to) await pull(from, to);
  }
}

async function pull(from: Store, to: Store): Promise<void> {
  for (;;) {
    const page = await from.exportMissing(to.vector());
    if (page.length === 0) return;
    const { added, refused } = await to.importCommits(page);
    if (refused.length > 0 || added === 0) throw new Error('a page was not taken over');
  }
}

type Writer = Awaited<ReturnType<typeof writer>>;

async function writer({ crypto }: Runtime) {
  const { privateKey } = await crypto.generateSigningKey('ed25519');
  const signer = crypto.signer('ed25519', privateKey);
  const signingKey = Buffer.from(signer.publicKey).toString('base64');
  return { deviceId: deviceId(crypto, signer.publicKey), name: 'Bench', signer, signingKey };
}
