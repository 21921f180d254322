/**
 * `watch`: each change as it comes, from the service's stream of events, until somebody stops it.
 *
 * An event only says that the head moved; what is new is read from the log, so that nothing is missed
 * when several changes come at once or events are lost.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 */

import { type Runtime, RuntimeError } from '#runtime';
import type { CommitView } from '#web-admin';
import type { Invocation } from './arguments.ts';
import { printLog } from './print.ts';
import { EXIT, notRunning, type Outcome, socketPath } from './verbs.ts';

const PAGE = 100;
/** So many new changes at once are shown; of more, the newest. */
const MAX_PAGES = 20;
/** More than events that say that the head moved can hold; other lines are not ours. */
const MAX_LINE = 65_536;

type Needs = {
  readonly http: Pick<Runtime['http'], 'fetch'>;
  readonly write: (text: string) => void;
  /** Resolves when nobody wants to watch any more. */
  readonly stopped: Promise<void>;
};

type Page = { readonly commits: readonly CommitView[]; readonly next?: string };

/** Watches until stopped, which is well, or until the service is gone. */
export async function runWatch(
  { http, write, stopped }: Needs,
  directory: string,
  { flags }: Invocation,
): Promise<Outcome> {
  const isJson = flags['json'] !== undefined;
  const ask = async (path: string): Promise<Response> => {
    const request = new Request(`http://nymote/api/v1${path}`);
    const response = await http.fetch(request, { path: socketPath(directory) });
    if (!response.ok) throw new Turned(`the service answered ${response.status}`);
    return response;
  };
  const read = async (query: string): Promise<Page> =>
    (await (await ask(`/log?limit=${PAGE}${query}`)).json()) as Page;
  let reader: ReadableStreamDefaultReader<string> | undefined;
  try {
    // First the stream, then what is known: what comes in between is not missed.
    const { body } = await ask('/events?topics=head');
    reader = textOf(body ?? new ReadableStream());
    const seen = new Set((await read('')).commits.map(({ id }) => id));
    const lines = linesOf(reader);
    const over = stopped.then(() => undefined);
    for (;;) {
      const line = await Promise.race([lines.next(), over]);
      if (line === undefined) return { exitCode: EXIT.ok, stdout: '', stderr: '' };
      if (line.done === true) return gone(directory);
      if (!/^event: ?(?:head|gap)$/.test(line.value)) continue;
      for (const commit of await unseen(read, seen)) write(print(commit, isJson));
    }
  } catch (error) {
    return failure(error, directory);
  } finally {
    void reader?.cancel().catch(() => undefined);
  }
}

/** It runs, and does not want us: too many watch already. */
class Turned extends Error {}

function failure(error: unknown, directory: string): Outcome {
  const { unreachable } = EXIT;
  if (error instanceof Turned) return saying(unreachable, error.message);
  if (!(error instanceof RuntimeError)) throw error;
  const { exitCode, message } = notRunning(error, directory);
  return saying(exitCode, message);
}

const saying = (exitCode: number, message: string): Outcome => ({
  ...{ exitCode, stdout: '' },
  stderr: `nymote: ${message}\n`,
});

const gone = (directory: string): Outcome =>
  saying(EXIT.unreachable, `the service with data in ${directory} is gone`);

const print = (commit: CommitView, isJson: boolean): string =>
  `${isJson ? JSON.stringify(commit) : printLog([commit], true)}\n`;

/** Changes that were not shown yet, oldest first. */
async function unseen(
  read: (query: string) => Promise<Page>,
  seen: Set<string>,
): Promise<readonly CommitView[]> {
  const found: CommitView[] = [];
  let query = '';
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const { commits, next } = await read(query);
    const fresh = commits.filter(({ id }) => !seen.has(id));
    found.push(...fresh);
    if (fresh.length < commits.length || next === undefined) break;
    query = `&before=${next}`;
  }
  for (const { id } of found) seen.add(id);
  return found.reverse();
}

const textOf = (body: ReadableStream): ReadableStreamDefaultReader<string> =>
  body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();

/** The lines of a stream, until it ends or breaks off. */
async function* linesOf(reader: ReadableStreamDefaultReader<string>): AsyncGenerator<string> {
  let rest = '';
  for (;;) {
    const part = await reader.read().catch(() => undefined);
    if (part === undefined || part.done) return;
    const lines = (rest + part.value).split('\n');
    rest = (lines.pop() ?? '').slice(0, MAX_LINE);
    yield* lines;
  }
}
