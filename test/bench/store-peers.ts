/**
 * The same changes to the same records by others: an Automerge document that is appended to a file,
 * and a git repository read and written by isomorphic-git. Nothing is signed or verified by either.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as Automerge from '@automerge/automerge';
import git from 'isomorphic-git';
import { progress } from './progress.ts';

/** Milliseconds: CPU for a commit, and time for the rest. */
export type Costs = {
  readonly name: string;
  readonly commit: number;
  readonly open: number;
  readonly history: number;
  readonly past: number;
};

/** Commits as isomorphic-git makes them; of all it would take minutes. */
const GIT_COMMITS = 100;
const AUTHOR = { name: 'bench', email: 'bench@example.org', timestamp: 1_795_000_000 };

/** What change `number` of a store with `records` records writes. */
export function recordOf(number: number, records: number) {
  const list = [{ data: '192.0.2.1', ttl: number, type: 'A' }];
  return { key: `n${number % records}`, value: { records: list } };
}

/** Milliseconds that something takes, by the clock. */
export async function timed(action: () => unknown): Promise<number> {
  const before = performance.now();
  await action();
  return performance.now() - before;
}

/** CPU milliseconds of this process for something. */
export async function cpuOf(action: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await action();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

type Document = { readonly names: Record<string, ReturnType<typeof recordOf>['value']> };

/** One change, one append, one fdatasync. */
export async function measureAutomerge(
  root: string,
  { commits, records, shown }: { commits: number; records: number; shown: number },
): Promise<Costs> {
  progress(`store: ${commits} changes by Automerge`);
  const file = join(root, 'peer.automerge');
  let document = Automerge.from<Document>({ names: {} });
  let middle = Automerge.getHeads(document);
  const cpu = await cpuOf(async () => {
    await using log = await open(file, 'w');
    await log.write(Automerge.save(document));
    for (let number = 0; number < commits; number++) {
      const { key, value } = recordOf(number, records);
      document = Automerge.change(document, `Set names/${key}`, (draft) => {
        draft.names[key] = value;
      });
      await log.write(Automerge.saveIncremental(document));
      await log.datasync();
      if (number === commits >> 1) middle = Automerge.getHeads(document);
    }
  });
  const opened = await timed(async () => {
    document = Automerge.load(new Uint8Array(await readFile(file)));
  });
  return {
    name: 'Automerge',
    commit: cpu / commits,
    open: opened,
    history: await timed(() =>
      Automerge.getAllChanges(document).slice(-shown).map(Automerge.decodeChange),
    ),
    past: await timed(() => JSON.stringify(Automerge.view(document, middle))),
  };
}

/** A repository as stock git packs it, with a file for each record. */
export async function measureGit(
  root: string,
  { commits, records, shown }: { commits: number; records: number; shown: number },
): Promise<Costs> {
  progress(`store: ${commits} commits by git`);
  const dir = join(root, 'peer-git');
  await mkdir(dir);
  await run(dir, ['init', '-q', '-b', 'main']);
  await run(dir, ['fast-import', '--quiet'], importStream(commits, records));
  await run(dir, ['reset', '-q', '--hard']);
  const readAll = async (ref: string): Promise<void> => {
    const cache = {};
    const map: git.WalkerMap = async (_, [entry]) => entry?.content();
    await git.walk({ fs, dir, cache, trees: [git.TREE({ ref })], map });
  };
  const opened = await timed(() => readAll('main'));
  const history = await timed(() => git.log({ fs, dir, depth: shown }));
  const past = await timed(() => readAll('middle'));
  const cpu = await cpuOf(async () => {
    for (let number = commits; number < commits + GIT_COMMITS; number++) {
      const { key, value } = recordOf(number, records);
      const filepath = `names/${key}.json`;
      await writeFile(join(dir, filepath), `${JSON.stringify(value)}\n`);
      await git.add({ fs, dir, filepath });
      await git.commit({ fs, dir, message: `Set names/${key}`, author: AUTHOR });
    }
  });
  return { name: 'isomorphic-git', commit: cpu / GIT_COMMITS, open: opened, history, past };
}

/** See git-fast-import(1). */
function importStream(commits: number, records: number): string {
  const parts: string[] = [];
  for (let number = 0; number < commits; number++) {
    const { key, value } = recordOf(number, records);
    const [text, message] = [`${JSON.stringify(value)}\n`, `Set names/${key}`];
    parts.push(
      `commit refs/heads/main\nmark :${number + 1}\n`,
      `committer bench <bench@example.org> ${AUTHOR.timestamp + number} +0000\n`,
      `data ${message.length}\n${message}\n`,
      `M 100644 inline names/${key}.json\ndata ${text.length}\n${text}\n`,
    );
  }
  parts.push(`reset refs/tags/middle\nfrom :${(commits >> 1) + 1}\n\n`);
  return parts.join('');
}

async function run(cwd: string, words: readonly string[], input = ''): Promise<void> {
  const child = spawn('git', words, { cwd, stdio: ['pipe', 'ignore', 'inherit'] });
  child.stdin.end(input);
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`git ${words[0]} ended with ${code}`);
}
