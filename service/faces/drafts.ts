/**
 * Drafts as the API shows them: collected one by one, previewed against the head in words, applied as
 * one commit. Only what people configure can be drafted: who belongs to the realm is decided at once.
 */

import { isDeepStrictEqual } from 'node:util';
import { type Clock, RuntimeError } from '#runtime';
import { type Json, type State, StorageError, type Store } from '#storage';
import { type Author, type DraftsBackend, type DraftView, WebAdminError } from '#web-admin';
import { isSecretOption } from '../apply/option.ts';
import {
  type DraftFile,
  type DraftFiles,
  isDraftName,
  MAX_DRAFT_BYTES,
  MAX_DRAFT_OPS,
  MAX_DRAFTS,
} from '../drafts.ts';
import type { House } from '../house.ts';
import { createSerially, type Serially } from '../serially.ts';
import { viewChanges, viewCommit } from './history.ts';
import { commitOrPropose } from './propose.ts';
import { inApiWords, requireWriter } from './refusal.ts';
import { sayChanges, sayOps, sayPath } from './words.ts';

type Ops = Parameters<Store['commit']>[0]['ops'];
type Needs = Pick<House, 'store' | 'projection' | 'household'> & {
  readonly clock: Pick<Clock, 'now'>;
  readonly draftFiles: DraftFiles;
};

const DRAFTABLE =
  /^(?:(?:rules|names|options)\/[^/]+(?:\/[^/]+)?|realm\/settings(?:\/[^/]+)?|devices\/[^/]+\/(?:name|note|endpoints))$/;

/** Makes that part of the backend. */
export function createDraftsBackend(needs: Needs): DraftsBackend<Author> {
  const { draftFiles: files, store, clock } = needs;
  const line = createSerially();
  const serially: Serially = (action) => line(() => inDiskWords(() => inApiWords(action)));

  return {
    list: () =>
      serially(async () => {
        const names = await files.names();
        return { drafts: await Promise.all(names.map((name) => viewListed(files, name))) };
      }),
    begin: (name) => serially(() => begin(files, name, store.head, clock.now())),
    show: (name) => serially(async () => viewDraft(store, await read(files, name))),
    add: (name, { ops, message = '' }, { via }) =>
      serially(async () => {
        const draft = await read(files, name);
        const named = withIds(ops as Ops, needs.projection().devices);
        const step = { ops: named as DraftFile['steps'][number]['ops'], message, via };
        const next = withStep(draft, { ...step, at: clock.now() }, store.merged());
        await refuseUnfit(store, next, named);
        if ((await files.write(next)) === 'too-large') throw refused('invalid', TOO_LARGE);
      }),
    apply: (name, wish, author) =>
      serially(async () => {
        requireWriter(needs);
        return applyDraft(needs, await read(files, name), wish, author);
      }),
    discard: (name) =>
      serially(async () => {
        if ((await find(files, name)) === 'missing') throw missing(name);
        await files.remove(name);
      }),
  };
}

const TOO_LARGE = `A draft holds at most ${MAX_DRAFT_OPS} changes in ${MAX_DRAFT_BYTES / 1_024} KiB: apply this one first.`;

async function begin(files: DraftFiles, name: string, base: string, begun: number): Promise<void> {
  if (!isDraftName(name)) {
    throw refused('invalid', `'${name}' is no name for a draft: small letters, digits, hyphens.`);
  }
  if ((await files.read(name)) !== 'missing') {
    throw refused('conflict', `There is a draft ${name} already.`);
  }
  if ((await files.names()).length >= MAX_DRAFTS) {
    throw refused('conflict', `There are ${MAX_DRAFTS} drafts: apply or discard one first.`);
  }
  await files.write({ name, base, begun, steps: [], seen: {} });
}

async function applyDraft(
  { draftFiles: files, store, household }: Needs,
  draft: DraftFile,
  { message, force = false }: Parameters<DraftsBackend<Author>['apply']>[1],
  { via, ifHead }: Author,
) {
  const { name } = draft;
  // What was looked at here is what is committed: the head may not move in between.
  const { head } = store;
  const { changes, moved, ...view } = await viewDraft(store, draft);
  const problems = view.problems.filter((problem) => problem !== SECOND_OWNER);
  if (problems.length > 0) throw refused('invalid', `${problems.join('; ')}.`);
  if (moved.length > 0 && !force) {
    throw refused('conflict', `${moved.join('; ')}. Look at it again, or apply it with --force.`);
  }
  if (changes.length === 0) throw refused('conflict', `The draft ${name} changes nothing.`);
  try {
    const wish = { ops: opsOf(draft), message: message ?? joined(draft), via };
    await commitOrPropose(store, household().self, { ...wish, ifHead: ifHead ?? head });
  } catch (error) {
    // It is proposed now, and should not be a second time.
    if (isProposed(error)) await files.remove(name);
    throw error;
  }
  await files.remove(name);
  // The head may have gone on, and be several.
  const [commit] = await store.log({ device: household().self, limit: 1 });
  if (commit === undefined) throw new Error('unreachable: no commit of who just made one');
  return viewCommit(store, commit);
}

function isProposed(error: unknown): boolean {
  if (!(error instanceof WebAdminError) || !(error.cause instanceof StorageError)) return false;
  return error.cause.code === 'needs-second-owner';
}

function joined({ name, steps }: DraftFile): string {
  const said = [...new Set(steps.map(({ message }) => message).filter((text) => text !== ''))];
  if (said.length <= 1) return said[0] ?? `Apply the draft ${name}`;
  return [`Apply the draft ${name}`, '', ...said.map((text) => `- ${text}`)].join('\n');
}

const opsOf = ({ steps }: DraftFile): Ops => steps.flatMap(({ ops }) => ops) as Ops;

function withStep(draft: DraftFile, step: DraftFile['steps'][number], now: State): DraftFile {
  const seen = { ...draft.seen };
  for (const { path } of step.ops) {
    const value = valueAt(now, path);
    if (!Object.hasOwn(seen, path)) seen[path] = value === undefined ? {} : { value };
  }
  return { ...draft, steps: [...draft.steps, step], seen };
}

/** People know a device by its name; what is there decides, because a draft begins none. */
function withIds(ops: Ops, devices: ReturnType<House['projection']>['devices']): Ops {
  return ops.map((op) => {
    const [collection, key = '', ...field] = op.path.split('/');
    if (collection !== 'devices') return op;
    const found = devices.find(({ id }) => id === key) ?? devices.find(({ name }) => name === key);
    if (found === undefined) throw refused('invalid', `There is no device ${key}.`);
    return { ...op, path: [collection, found.id, ...field].join('/') };
  });
}

/** A draft need not be complete, but what nobody could read, and secrets, are not kept (I2). */
async function refuseUnfit(store: Store, draft: DraftFile, added: Ops): Promise<void> {
  const stranger = added.find(({ path }) => !DRAFTABLE.test(path));
  if (stranger !== undefined) {
    throw refused(
      'invalid',
      `${stranger.path} cannot be drafted; rules, names, options, realm/settings, and a device's name, note and endpoints can.`,
    );
  }
  const { state, problems, unsealed, isReadable } = await store.preview(opsOf(draft));
  const worst = isReadable ? unsealed : problems;
  if (worst.length > 0) throw refused('invalid', `${sentences(worst).join('; ')}.`);
  const secret = added.find(({ path }) => isSecretOption(optionAt(state, path)));
  if (secret !== undefined) throw refused('invalid', `${secret.path}: an option with a secret.`);
}

function optionAt(state: State, path: string): string {
  const [collection = '', key = ''] = path.split('/');
  return collection === 'options' ? String(state.get('options')?.get(key)?.['option'] ?? '') : '';
}

async function viewListed(files: DraftFiles, name: string) {
  const draft = await files.read(name);
  if (typeof draft === 'string') return { name, isDamaged: true };
  return { name, isDamaged: false, begun: draft.begun, steps: draft.steps.length };
}

async function viewDraft(store: Store, draft: DraftFile): Promise<DraftView> {
  const { name, base, begun, steps, seen } = draft;
  const now = store.merged();
  const ops = opsOf(draft);
  const preview = ops.length === 0 ? EMPTY : await store.preview(ops);
  const { changes, problems, needsSecondOwner } = preview;
  const moved = Object.keys(seen).filter((path) => !isSame(seen[path]?.value, valueAt(now, path)));
  return {
    ...{ name, base, begun },
    steps: steps.map(({ message, at, via, ops: some }) => {
      return { message, at, via, what: [...sayOps(now, some as Parameters<typeof sayOps>[1])] };
    }),
    changes: viewChanges(changes),
    what: [...sayChanges(now, changes)],
    problems: [...sentences(problems), ...(needsSecondOwner ? [SECOND_OWNER] : [])],
    moved: moved.map((path) => `${sayPath(now, path)} was changed elsewhere since`),
  };
}

const EMPTY = { changes: [], problems: [], needsSecondOwner: false };
const SECOND_OWNER = 'This needs a second owner: applied, it is proposed';

const sentences = (problems: readonly { readonly path: string; readonly message: string }[]) =>
  problems.map(({ path, message }) => `${path}: ${message}`);

function valueAt(state: State, path: string): Json | undefined {
  const [collection = '', key = '', field] = path.split('/');
  const record = state.get(collection)?.get(key);
  if (field === undefined || record === undefined) return record;
  return Object.hasOwn(record, field) ? record[field] : undefined;
}

/** What went through a file has other prototypes. */
function isSame(kept: unknown, now: Json | undefined): boolean {
  if (kept === undefined || now === undefined) return kept === now;
  return isDeepStrictEqual(kept, JSON.parse(JSON.stringify(now)));
}

async function find(files: DraftFiles, name: string): ReturnType<DraftFiles['read']> {
  return isDraftName(name) ? files.read(name) : 'missing';
}

async function read(files: DraftFiles, name: string): Promise<DraftFile> {
  const draft = await find(files, name);
  if (draft === 'missing') throw missing(name);
  if (draft !== 'damaged') return draft;
  throw refused('unavailable', `The file of the draft ${name} is damaged; it is left as it is.`);
}

const missing = (name: string) => refused('not-found', `There is no draft ${name}.`);

function refused(code: WebAdminError['code'], message: string): WebAdminError {
  return new WebAdminError(code, message);
}

async function inDiskWords<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof RuntimeError)) throw error;
    if (error.code !== 'no-space') throw refused('unavailable', 'The disk cannot be used.');
    throw refused('no-space', 'The disk is full, nothing was changed.');
  }
}
