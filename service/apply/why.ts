/**
 * Provenance: for a line on the system the chain rule → person → device → commit → version.
 */

import { explain } from '#policy';
import type { Clock } from '#runtime';
import type { Commit, Store } from '#storage';
import type { Household } from '../dns/ruling.ts';
import { VERSION } from '../version.ts';
import { listOf } from './option.ts';
import type { Rendered, Target } from './render.ts';

export type Provenance = {
  readonly target: Target;
  readonly line: string;
  readonly value: readonly string[];
  readonly source: string;
  readonly person: string;
  readonly version: string;
  readonly rule: { readonly id?: string; readonly tier: string; readonly sentence: string };
  /** Newest first; the first one says what holds. */
  readonly commits: readonly {
    readonly id: string;
    readonly device: string;
    readonly via: string;
    readonly at: number;
    readonly message: string;
  }[];
};

type Parties = {
  readonly clock: Pick<Clock, 'now' | 'isSet'>;
  readonly store: Pick<Store, 'log'>;
  readonly household: Household;
  readonly person: string;
};

const TARGETS: readonly string[] = ['uci', 'wg', 'nft', 'dns'] satisfies readonly Target[];
const MAX_COMMITS = 5;
/** There is one interface of ours, whatever a person calls it. */
const PEER = /^[^.\s]+\.(peer\..+)$/;

/** The lines that a person may mean by a text. */
export function findLines(lines: readonly Rendered[], text: string): readonly Rendered[] {
  const words = text.trim().split(/\s+/);
  const [first = ''] = words;
  const hasTarget = TARGETS.includes(first) && words.length > 1;
  const wanted = (hasTarget ? words.slice(1) : words).join(' ');
  return lines
    .filter(({ target }) => !hasTarget || target === first)
    .filter(({ target, line }) => isMeant(target, line, wanted));
}

function isMeant(target: Target, line: string, wanted: string): boolean {
  if (target === 'wg') return PEER.exec(line)?.[1] === PEER.exec(wanted)?.[1];
  if (target !== 'dns') return line === wanted;
  const [name = '', type] = wanted.split(' ');
  const [ownName, ownType] = line.split(' ');
  const isType = type === undefined || type.toUpperCase() === ownType;
  return isType && name.toLowerCase().replace(/\.$/, '') === ownName;
}

/** Where one line comes from. */
export async function explainLine(
  { clock, store, household, person }: Parties,
  { target, line, value, source }: Rendered,
): Promise<Provenance> {
  const commits = await store.log({ path: source, limit: MAX_COMMITS });
  const decision = household.policy.decide({
    ...questionOf({ target, line, source }, household, commits[0]),
    now: clock.now(),
    clockIsSet: clock.isSet(),
  });
  return {
    ...{ target, line, source, person, version: VERSION },
    value: value === undefined ? [] : listOf(value),
    rule: {
      ...(decision.rule === undefined ? {} : { id: decision.rule }),
      tier: decision.tier,
      sentence: explain(decision),
    },
    commits: commits.map(({ id, name, via, at, message }) => ({
      ...{ id, device: name, via, at },
      message: message.split('\n', 1)[0] ?? '',
    })),
  };
}

type Question = Pick<Parameters<Household['policy']['decide']>[0], 'asker' | 'verb' | 'resource'>;

/** What policy was asked, or would be, before the line came to be. */
function questionOf(
  { target, line, source }: Pick<Rendered, 'target' | 'line' | 'source'>,
  { self }: Household,
  commit: Commit | undefined,
): Question {
  const id = source.split('/')[1] ?? '';
  if (target === 'wg') {
    const asker = { kind: 'device', id, strength: 'key' } as const;
    return { asker, verb: 'connect', resource: `device:${self}` };
  }
  const here = { kind: 'device', id: self, strength: 'local' } as const;
  if (target === 'dns') {
    return { asker: here, verb: 'resolve', resource: `record:${line.split(' ')[0] ?? ''}` };
  }
  const author = commit?.device ?? self;
  const asker = author === self ? here : ({ kind: 'device', id: author, strength: 'key' } as const);
  return { asker, verb: 'administer', resource: `path:${source}` };
}
