/**
 * `npm run bench -- [topic…] [--json | --markdown]`: measures, beside a peer in the same run.
 *
 * Tables for people; `--json` gives one object `{ machine, date, rows }`, `--markdown` the page
 * docs/benchmarks.md. Nothing is asserted here. Where the machine is shared, believe the lines about
 * CPU: the others are of the clock.
 */

import { cpus, release, totalmem } from 'node:os';
import { printPage, type Table } from './page.ts';
import { progress } from './progress.ts';
import { printRows, type Row } from './row.ts';

/** A topic's module, and what it measures. */
const TOPICS = {
  start: ['from spawn to the first signed answer', () => import('./start.ts')],
  answers: ['answers from memory, signed, DO set', () => import('./dns.ts')],
  datapath: ['repeated answers, beside C', () => import('./datapath.ts')],
  zone: ['own signed zones of many names, and many cores', () => import('./zone.ts')],
  cold: ['names nobody asked for before, validated', () => import('./cold.ts')],
  cache: ['100,000 names in memory', () => import('./cache.ts')],
  attack: ['answers to an honest client meanwhile', () => import('./attack.ts')],
  tunnel: ['from the question for a name to the first echo', () => import('./tunnel.ts')],
  memory: ['resident memory', () => import('./memory.ts')],
  package: ['what goes onto a router', () => import('./package.ts')],
  codec: ['the wire codec, operations for a second of CPU', () => import('./codec.ts')],
  store: ['the store, on the real disk', () => import('./store.ts')],
  backup: ['backups, and bringing one back', () => import('./backup.ts')],
  hub: ['a hub for 10,000 households', () => import('./hub.ts')],
} as const;

type Topic = keyof typeof TOPICS;

/** Words for several topics. */
const GROUPS: Readonly<Record<string, readonly Topic[]>> = {
  dns: ['answers', 'datapath', 'zone', 'cold', 'cache', 'attack'],
};

type Format = 'text' | '--json' | '--markdown';
type Result = Table & { readonly topic: Topic };

const FORMATS: readonly string[] = ['--json', '--markdown'];
const ALL = Object.keys(TOPICS) as readonly Topic[];

// Where servers are that a user's own PATH may lack.
process.env['PATH'] = [process.env['PATH'], '/usr/local/sbin', '/usr/sbin', '/sbin'].join(':');

const words = process.argv.slice(2);
const format = (words.find((word) => FORMATS.includes(word)) ?? 'text') as Format;
const named = words.filter((word) => !FORMATS.includes(word));
const asked: readonly string[] = named.flatMap((word): readonly string[] => GROUPS[word] ?? [word]);
const unknown = named.filter(
  (word) => !Object.hasOwn(GROUPS, word) && !Object.hasOwn(TOPICS, word),
);

if (unknown.length > 0) {
  console.error('npm run bench -- [topic…] [--json | --markdown]');
  for (const topic of ALL) console.error(`  ${topic.padEnd(8)} ${TOPICS[topic][0]}`);
  for (const [word, topics] of Object.entries(GROUPS)) {
    console.error(`  ${word.padEnd(8)} ${topics.join(', ')}`);
  }
  process.exitCode = unknown.includes('--help') ? 0 : 2;
} else {
  await measure(ALL.filter((topic) => asked.length === 0 || asked.includes(topic)));
}

async function measure(topics: readonly Topic[]): Promise<void> {
  const results: Result[] = [];
  for (const topic of topics) {
    const result = await measureTopic(topic);
    if (result === undefined) continue;
    results.push(result);
    if (format === 'text') console.log(`${printRows(`${topic}: ${result.title}`, result.rows)}\n`);
  }
  console.log(conclude(results));
}

function conclude(results: readonly Result[]): string {
  const machine = describeMachine();
  const date = new Date().toISOString();
  switch (format) {
    case 'text':
      return machine;
    case '--markdown':
      return printPage(machine, date.slice(0, 10), results).trimEnd();
    case '--json': {
      const rows = results.flatMap(({ topic, rows: own }) => own.map((row) => ({ topic, ...row })));
      return JSON.stringify({ machine, date, rows }, undefined, 2);
    }
  }
}

/** One that fails, for lack of a program or of rights, does not keep the others from being measured. */
async function measureTopic(topic: Topic): Promise<Result | undefined> {
  const [title, load] = TOPICS[topic];
  try {
    const { run } = await load();
    const rows: readonly Row[] = await run();
    return { topic, title, rows };
  } catch (thrown) {
    progress(`${topic}: ${thrown instanceof Error ? thrown.message : thrown}`);
    process.exitCode = 1;
    return undefined;
  }
}

function describeMachine(): string {
  const processors = cpus();
  const gigabytes = (totalmem() / 1e9).toFixed(0);
  const model = processors[0]?.model.trim() ?? 'unknown processor';
  return `${processors.length} × ${model}, ${gigabytes} GB, Linux ${release()}, Node ${process.versions.node}`;
}
