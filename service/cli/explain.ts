/**
 * `nymote explain`: the walk to an answer, for people at a terminal. Pure: view in, text out.
 */

import type { ExplanationView } from '#web-admin';

type Step = ExplanationView['steps'][number];
type ExplainedName = ExplanationView['names'][number];
type Signature = ExplainedName['result']['signatures'][number];

/** What is told without a household: nobody rules there. */
export type Told = Omit<ExplanationView, 'ruling' | 'own'> &
  Partial<Pick<ExplanationView, 'ruling' | 'own'>>;

/** The question, who may ask it, the walk, the chain of trust, and what came of it. */
export function printExplanation(told: Told): string {
  const { name, type, rcode, ede, ruling, own, steps, chain, names, isCut } = told;
  return [
    `${name} ${type}: ${rcode}${ede === undefined ? '' : ` (EDE ${ede.code}: ${ede.text})`}`,
    `In short ${inShort(told)}`,
    ...(ruling === undefined ? [] : [`Ruling   ${ruling.sentence}`]),
    ...(own === true ? ['Zone     our own: nobody else is asked'] : []),
    ...section('Answer', isAsFound(told) ? [] : told.answers),
    ...section('Walk', [...steps.map(printStep), ...(isCut ? ['… and more'] : [])]),
    ...section(
      'Chain of trust',
      chain.flatMap((link) => printLink(link, steps)),
    ),
    ...names.flatMap(printName),
  ].join('\n');
}

/** RFC 8914 §4.14 and §4.16. */
const CACHED = 13;
const BLOCKED = 15;

/** For who knows nothing of the DNS: what came of it, and whether it can be believed. */
function inShort({ rcode, ede, ruling, names, answers, own, type }: Told): string {
  if (ruling?.effect === 'deny') return 'whoever asks so is not told, whatever follows here.';
  const states = new Set<string>(names.map(({ verdict }) => verdict.state));
  const why = ede?.text ?? 'why is not known';
  if (states.has('bogus')) {
    return (
      `refused: ${why}. Either its owner made a mistake with the signatures, ` +
      'or somebody changed the answer on its way.'
    );
  }
  if (ede?.code === CACHED) return `no answer: ${why}. With --fresh it is tried again.`;
  if (rcode === 'SERVFAIL') return `no answer: ${why}.`;
  if (rcode === 'REFUSED') return 'the question is not answered here.';
  if (ede?.code === BLOCKED) return `held back: ${why}.`;
  const has = type === 'ANY' || answers.some((record) => record.split(' ')[3] === type);
  const nothing = rcode === 'NXDOMAIN' ? 'there is no such name' : `the name has no ${type}`;
  return `${has ? 'there is an answer' : nothing}; ${proofOf(states, own === true)}.`;
}

function proofOf(states: ReadonlySet<string>, isOwn: boolean): string {
  if (isOwn || states.size === 0) return 'nobody had to be asked';
  if (states.has('unchecked')) return 'nothing was checked';
  return states.has('insecure')
    ? 'no signatures prove it, so somebody could have changed it on its way'
    : 'signatures prove it, from a trusted key down';
}

/** Private addresses may have been taken out, and addresses made of others (DNS64). */
function isAsFound({ answers, names }: Told): boolean {
  const data = (record: string) => record.split(' ').slice(3).join(' ');
  const found = new Set(names.flatMap(({ result }) => result.records.map(data)));
  const isTold = answers.every((record) => found.has(data(record)));
  return isTold && (answers.length > 0 || found.size === 0);
}

const section = (title: string, lines: readonly string[]): string[] =>
  lines.length === 0 ? [] : ['', title, ...lines.map((line) => `  ${line}`)];

function printStep(step: Step): string {
  if (step.kind === 'found') {
    const signed = step.signatures.length === 0 ? '' : `, ${signatures(step.signatures.length)}`;
    return `= ${step.name} ${step.type}: ${step.what} from ${step.from}${signed}`;
  }
  const { server, transport, name, type, said, milliseconds } = step;
  const counts = `${step.answers}/${step.authorities}/${step.additionals}`;
  const flags = [...(step.authoritative ? ['aa'] : []), ...(step.truncated ? ['tc'] : [])];
  const size = step.bytes === 0 ? '' : `, ${counts} records, ${step.bytes} B, ${milliseconds} ms`;
  const how = transport === 'udp' ? '' : ` over ${transport}`;
  return `→ ${server}${how}  ${name} ${type}: ${[said, ...flags].join(' ')}${size}`;
}

const signatures = (count: number): string => `${count} signature${count === 1 ? '' : 's'}`;

const LINKS = {
  zone: 'a signed zone',
  'no-cut': 'no zone of its own',
  insecure: 'unsigned from here on',
  bogus: 'BROKEN',
} as const satisfies Record<ExplanationView['chain'][number]['is'], string>;

function printLink(
  { name, is, reason, keys }: ExplanationView['chain'][number],
  steps: readonly Step[],
): string[] {
  const named = keys.map(({ tag, algorithm }) => `${tag} (algorithm ${algorithm})`).join(', ');
  const why = reason === undefined ? '' : `: ${reason}`;
  const signed = is === 'zone' ? (signaturesOf(name, steps) ?? []) : [];
  return [
    `${name}  ${LINKS[is]}${why}${named === '' ? '' : `, keys ${named}`}`,
    ...signed.map(
      ({ keyTag, ...times }) => `  its keys are signed by ${keyTag}, ${printTimes(times)}`,
    ),
  ];
}

/** Of a zone's keys, as they were looked up for the chain. */
function signaturesOf(zone: string, steps: readonly Step[]): readonly Signature[] | undefined {
  const found = steps.flatMap((step) =>
    step.kind === 'found' && step.name === zone && step.type === 'DNSKEY' ? [step] : [],
  );
  return found.at(-1)?.signatures;
}

function printName({ name, type, result, verdict, ...cache }: ExplainedName): string[] {
  const { what, from, ttl, records } = result;
  const { cachedBefore: before, cachedAfter: after } = cache;
  const known = (view: ExplainedName['cachedBefore']) =>
    view === undefined ? 'nothing' : `${view.what}, ${view.state}, ${Math.round(view.ttl)} s left`;
  const untimed = verdict.untimed === true ? ' (the clock is not set: times were not checked)' : '';
  const reason = verdict.reason === undefined ? '' : `: ${verdict.reason}`;
  return [
    '',
    `${name} ${type}`,
    `  Found    ${what} from ${from}${ttl === undefined ? '' : `, TTL ${Math.round(ttl)} s`}`,
    ...records.map((record) => `           ${record}`),
    `  Verdict  ${verdict.state}${reason}${untimed}`,
    ...result.signatures.map(printSignature),
    ...(from === 'zone' ? [] : [`  Cache    before: ${known(before)}; after: ${known(after)}`]),
  ];
}

function printSignature(signature: Signature): string {
  const { covers, signer, keyTag, algorithm, inception, expiration } = signature;
  const key = `key ${keyTag} of ${signer} (algorithm ${algorithm})`;
  return `  Signed   ${covers} by ${key}, ${printTimes({ inception, expiration })}`;
}

const printTimes = ({ inception, expiration }: Pick<Signature, 'inception' | 'expiration'>) =>
  `${date(inception)} to ${date(expiration)}`;

const date = (seconds: number): string =>
  new Date(seconds * 1000).toISOString().replace(/:\d\d\.\d+Z$/, 'Z');
