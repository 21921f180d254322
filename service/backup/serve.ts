/**
 * Backups over the unix socket of the command line: one request, and lines of JSON as it goes on.
 *
 *     {"progress": {"step": "write", "done": 1, "of": 2}}
 *     {"done": …}   or   {"problem": {"code": "…", "message": "…"}}
 *
 * Not reachable from the web: whoever names a target names a place to send everything to, and whoever
 * is told a line can delete a backup.
 */

import * as v from 'valibot';
import { type Log, RuntimeError } from '#runtime';
import { StorageError } from '#storage';
import type { Backups, Wish } from './backups.ts';
import { BackupError } from './error.ts';
import type { Keeping } from './keep/keeping.ts';
import type { Made } from './make.ts';
import type { Report } from './read.ts';
import { readRecipients } from './settings.ts';

const PREFIX = '/backup/';

const WishSchema = v.object({
  target: v.optional(v.string()),
  credentials: v.optional(v.string()),
  recipients: v.optional(v.string()),
  line: v.optional(v.string()),
  name: v.optional(v.string(), ''),
  quota: v.optional(v.string()),
  at: v.optional(v.string()),
  isRenewed: v.optional(v.boolean()),
});

/** What backups are made with, and what is kept for others. */
type Parties = { readonly backups: Backups; readonly keeping: Keeping };
type Asked = Omit<v.InferOutput<typeof WishSchema>, 'recipients'> & Wish;
type Action = (parties: Parties, asked: Asked, report: Report) => Promise<unknown>;

const ACTIONS: Readonly<Record<string, Action>> = {
  run: async ({ backups }, wish, report) => describeMade(await backups.run(wish, report)),
  async to({ backups }, { line }, report) {
    if (line === undefined) return { isForgotten: await backups.stay() };
    return describeMade(await backups.goTo(line, report));
  },
  drill: ({ backups }, wish, report) => backups.drill(wish, report),
  async list({ backups }, wish) {
    return { manifest: (await backups.list(wish))?.manifest };
  },
  schedule: ({ backups }) => backups.status(),
  keep: ({ keeping }, wish) => keeping.keep(wish),
  kept: async ({ keeping }) => ({ guests: await keeping.list() }),
  forget: ({ keeping }, { name }) => keeping.forget(name),
};

const describeMade = ({ memory, written, isFull, problem }: Made) => ({
  ...{ number: memory.number, heads: memory.heads, written, isFull, problem },
});

/** Answers a request that is about backups; undefined for all others. */
export function serveBackups(
  parties: Parties,
  log: Log,
  request: Request,
): Promise<Response> | undefined {
  const { pathname } = new URL(request.url);
  const action = pathname.startsWith(PREFIX) ? ACTIONS[pathname.slice(PREFIX.length)] : undefined;
  return action && request.method === 'POST' ? answer(parties, log, action, request) : undefined;
}

async function answer(
  parties: Parties,
  log: Log,
  action: Action,
  request: Request,
): Promise<Response> {
  const Text = v.pipe(v.string(), v.parseJson(), WishSchema);
  const parsed = v.safeParse(Text, await request.text());
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  // Whoever asked may have left; the work goes on.
  const say = (line: unknown): void => {
    writer.write(new TextEncoder().encode(`${JSON.stringify(line)}\n`)).catch(() => undefined);
  };
  const work = async (): Promise<void> => {
    const recipients = parsed.success ? readRecipients(parsed.output.recipients ?? '') : undefined;
    if (!parsed.success || recipients === undefined) {
      throw new BackupError('bad-setting', '--recipient takes keys of age: age1…');
    }
    say({
      done: await action(parties, { ...parsed.output, recipients }, (progress) =>
        say({ progress }),
      ),
    });
  };
  work()
    .catch((thrown: unknown) => say({ problem: describe(thrown, log) }))
    .finally(() => writer.close().catch(() => undefined))
    .catch(() => undefined);
  return new Response(readable, { headers: { 'content-type': 'application/x-ndjson' } });
}

function describe(thrown: unknown, log: Log): { readonly code: string; readonly message: string } {
  const isSaid =
    thrown instanceof BackupError ||
    thrown instanceof StorageError ||
    thrown instanceof RuntimeError;
  if (isSaid) return { code: thrown.code, message: thrown.message };
  log('error', 'backup-broke', { error: String(thrown) });
  return { code: 'io', message: 'that went wrong inside nymote; its log says how' };
}
