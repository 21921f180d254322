/**
 * `npm run bench -- [topic…] [--json]`: measures, beside a peer in the same run where there is one.
 *
 * Tables for people; with `--json` one object `{ machine, date, rows }`. Nothing is asserted here.
 * Where the machine is shared, believe the lines about CPU: the others are of the clock.
 */

import { cpus, release, totalmem } from 'node:os';
import { progress } from './progress.ts';
import { printRows, type Row } from './row.ts';

/** A topic's module, and what it measures. */
const TOPICS = {
  start: ['from spawn to the first signed answer', () => import('./start.ts')],
  dns: ['answers from memory, signed, DO set', () => import('./dns.ts')],
  tunnel: ['from the question for a name to the first echo', () => import('./tunnel.ts')],
  memory: ['resident memory', () => import('./memory.ts')],
  package: ['what goes onto a router', () => import('./package.ts')],
  codec: ['the wire codec', () => import('./codec.ts')],
  store: ['the store, on the real disk', () => import('./store.ts')],
} as const;

type Topic = keyof typeof TOPICS;

const words = process.argv.slice(2);
const isJson = words.includes('--json');
const asked = words.filter((word) => word !== '--json');
const topics = Object.keys(TOPICS).filter((topic) => asked.length === 0 || asked.includes(topic));
const unknown = asked.filter((word) => !Object.hasOwn(TOPICS, word));

if (unknown.length > 0) {
  console.error(
    `no such topic: ${unknown.join(' ')} (there are: ${Object.keys(TOPICS).join(' ')})`,
  );
  process.exitCode = 2;
} else {
  await measure(topics as readonly Topic[]);
}

async function measure(wanted: readonly Topic[]): Promise<void> {
  const rows: (Row & { topic: Topic })[] = [];
  for (const topic of wanted) {
    const found = await measureTopic(topic);
    rows.push(...found.map((row) => ({ topic, ...row })));
  }
  if (isJson) {
    const date = new Date().toISOString();
    console.log(JSON.stringify({ machine: describeMachine(), date, rows }, undefined, 2));
  } else {
    console.log(describeMachine());
  }
}

/** One that fails, for lack of a program or of rights, does not keep the others from being measured. */
async function measureTopic(topic: Topic): Promise<readonly Row[]> {
  const [title, load] = TOPICS[topic];
  try {
    const { run } = await load();
    const rows = await run();
    if (!isJson) console.log(`${printRows(`${topic}: ${title}`, rows)}\n`);
    return rows;
  } catch (thrown) {
    progress(`${topic}: ${thrown instanceof Error ? thrown.message : thrown}`);
    process.exitCode = 1;
    return [];
  }
}

function describeMachine(): string {
  const processors = cpus();
  const gigabytes = (totalmem() / 1e9).toFixed(0);
  const model = processors[0]?.model.trim() ?? 'unknown processor';
  return `${processors.length} × ${model}, ${gigabytes} GB, Linux ${release()}, Node ${process.versions.node}`;
}
