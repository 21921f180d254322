/**
 * Five real devices that write while the network is cut and healed and processes are killed: what was
 * acknowledged is never lost, and everybody ends with the same.
 *
 * Each write is a rule of its own that names the writes its author had seen; so every look at a
 * device tells whether causes came before effects. NYMOTE_CLUSTER_SECONDS makes it longer, NYMOTE_CLUSTER_SEED other.
 */

import { expect, test } from 'vitest';
import { seededRandom } from '#runtime/fake';
import { type Cluster, type Member, startCluster } from './cluster.ts';

const SIZE = 5;
const SECONDS = Number(process.env['NYMOTE_CLUSTER_SECONDS'] ?? 6);
/** Who was away is asked again after up to 75 seconds; so is whoever hears of it from that one. */
const SETTLE_SECONDS = 240;
const SAMPLES = 9;
/** Before the end, so that there is something to heal. */
const APART_MS = 3_000;

/** How many writes of each author. */
type Seen = readonly number[];
type Write = { readonly author: number; readonly number: number; readonly after: Seen };

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const random = seededRandom(process.env['NYMOTE_CLUSTER_SEED'] ?? 'cluster');
const pick = (count: number): number => (random(1)[0] ?? 0) % count;

async function write(member: Member, { author, number, after }: Write): Promise<boolean> {
  const rule = {
    ...{ tier: 'rule', effect: 'allow', do: ['resolve'] },
    ...{ who: { any: ['zone:home'] }, what: { any: ['record:x'] }, note: after.join(' ') },
  };
  const { status } = await member.ask('PUT', `/rules/w-${author}-${number}`, rule);
  return status >= 200 && status < 300;
}

async function look(member: Member): Promise<readonly Write[]> {
  const { body } = await member.ask('GET', '/rules');
  const { rules } = JSON.parse(body) as { rules: { id: string; note?: string }[] };
  return rules.flatMap(({ id, note = '' }) => {
    const [, author, number] = /^w-(\d+)-(\d+)$/.exec(id) ?? [];
    if (number === undefined) return [];
    return { author: Number(author), number: Number(number), after: note.split(' ').map(Number) };
  });
}

async function headOf(member: Member): Promise<string> {
  const { body } = await member.ask('GET', '/status');
  return (JSON.parse(body) as { store: { head: string } }).store.head;
}

/** What one device showed and promised, and what of that does not fit. */
function createWitness(author: number) {
  const acknowledged: number[] = [];
  const problems: string[] = [];
  let before = new Set<string>();
  let next = 1;
  return {
    acknowledged,
    problems,
    async step(member: Member): Promise<void> {
      const writes = await look(member);
      const names = new Set(writes.map(({ author: by, number }) => `${by}-${number}`));
      const own = acknowledged.map((number) => `${author}-${number}`);
      const causes = writes.flatMap(({ after }) =>
        after.flatMap((count, by) => (count === 0 ? [] : [`${by}-${count}`])),
      );
      const wanted = { 'read before': [...before], 'written here': own, 'a cause': causes };
      for (const [why, expected] of Object.entries(wanted)) {
        const lost = expected.filter((name) => !names.has(name));
        problems.push(...lost.map((name) => `${name} is not there: ${why}`));
      }
      before = names;
      const after = Array.from({ length: SIZE }, (_, by) =>
        Math.max(0, ...writes.filter((each) => each.author === by).map(({ number }) => number)),
      );
      const number = next++;
      if (await write(member, { author, number, after })) acknowledged.push(number);
    },
  };
}

/** Until then, and until it was promised `least` writes: a busy machine writes little in a while. */
async function keepWriting(
  member: Member,
  witness: ReturnType<typeof createWitness>,
  until: number,
  least = 0,
): Promise<void> {
  while (Date.now() < until || witness.acknowledged.length < least) {
    // Whoever is killed meanwhile answers nothing, and promised nothing.
    if (member.isUp()) await witness.step(member).catch(() => undefined);
    await pause(200 + pick(400));
  }
}

async function trouble({ members, divide }: Cluster, until: number): Promise<void> {
  while (Date.now() < until) {
    await pause(1_000 + pick(1_500));
    const victim = members[pick(SIZE)] as Member;
    const what = pick(3);
    if (what === 0) await divide(members.map(() => pick(2)));
    if (what === 1) await divide(members.map(() => 0));
    if (what === 2) {
      await victim.kill();
      await victim.start();
    }
  }
}

/** Milliseconds from a wish on one device until another one shows it. */
async function measure({ members }: Cluster): Promise<number> {
  const [, from, to] = members as [Member, Member, Member];
  const after = Array.from({ length: SIZE }, () => 0);
  const took: number[] = [];
  for (let sample = 1; sample <= SAMPLES; sample++) {
    await pause(700);
    const started = performance.now();
    expect(await write(from, { author: 9, number: sample, after })).toBe(true);
    const isThere = async () =>
      (await look(to)).some(({ author, number }) => author === 9 && number === sample);
    while (!(await isThere())) await pause(2);
    took.push(performance.now() - started);
  }
  return took.toSorted((a, b) => a - b)[Math.floor(SAMPLES / 2)] ?? Number.NaN;
}

test(
  'five devices that are cut apart and killed lose nothing and end with the same',
  async () => {
    await using cluster = await startCluster(SIZE);
    const { members, divide } = cluster;
    const latency = await measure(cluster);
    const until = Date.now() + SECONDS * 1_000;
    const witnesses = members.map(({ index }) => createWitness(index));
    await Promise.all([
      trouble(cluster, until),
      ...members.map((member, index) =>
        keepWriting(member, witnesses[index] as ReturnType<typeof createWitness>, until),
      ),
    ]);
    await divide(members.map((_, index) => index % 2));
    await Promise.all(
      members.map((member, index) => {
        const witness = witnesses[index] as ReturnType<typeof createWitness>;
        return keepWriting(member, witness, Date.now() + APART_MS, 2);
      }),
    );
    await divide(members.map(() => 0));
    const healed = Date.now();
    let heads = new Set<string>();
    while (heads.size !== 1 && Date.now() < healed + SETTLE_SECONDS * 1_000) {
      await pause(100);
      heads = new Set(await Promise.all(members.map(headOf)));
    }
    const settled = Date.now() - healed;
    expect(heads.size).toBe(1);
    const promised = witnesses.flatMap(({ acknowledged }, author) =>
      acknowledged.map((number) => `${author}-${number}`),
    );
    for (const member of members) {
      const names = new Set(
        (await look(member)).map(({ author, number }) => `${author}-${number}`),
      );
      expect(promised.filter((name) => !names.has(name))).toEqual([]);
    }
    expect(witnesses.flatMap(({ problems }) => problems)).toEqual([]);
    expect(promised.length).toBeGreaterThan(SIZE);
    console.log(
      `${promised.length} writes; visible after ${latency.toFixed(0)} ms; the same ${settled} ms after healing`,
    );
  },
  600_000 + SECONDS * 1_000,
);
