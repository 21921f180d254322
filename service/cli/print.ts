/**
 * What the service says, for people at a terminal. Pure: view in, text out.
 */

import { renderUnicodeCompact } from 'uqr';
import type {
  AddedDevice,
  Check,
  CommitView,
  DecisionView,
  Device,
  DiffView,
  RulesView,
  Status,
  TokenView,
} from '#web-admin';

/** Digits of a commit's id that people need. */
export const SHORT_ID = 12;

/** The state of things, the important first. */
export function printStatus(status: Status): string {
  const { device, dns, encryptedDns, tunnels, store, clock } = status;
  const up = tunnels.peers.filter(({ state }) => state === 'up').length;
  const lines = [
    `This is ${device.name}.${status.apex} (${device.kind}), nymote ${status.version}.`,
    `DNS      ${dns.addresses.join(', ')}: ${dns.questions} ${dns.questions === 1 ? 'question' : 'questions'}, ${dns.cacheHits} from the cache`,
    ...(encryptedDns === undefined ? [] : [printEncryptedDns(encryptedDns)]),
    tunnels.state === 'off'
      ? `Tunnels  off: ${tunnels.reason ?? 'no reason given'}`
      : `Tunnels  ${up} of ${tunnels.peers.length} up (${tunnels.backend ?? 'unknown'})`,
    ...tunnels.peers.map(({ name, why }) => `           ${name}: ${why}`),
    `Store    ${store.commits} ${store.commits === 1 ? 'change' : 'changes'}, head ${store.head.slice(0, SHORT_ID)}`,
    ...(store.history === undefined ? [] : [`           ${store.history}`]),
    ...(status.readOnly ? [`           read-only: ${status.readOnlyReason ?? ''}`] : []),
    ...printWaiting(status),
    ...printStandings(status.sync ?? []),
    `Clock    ${clock.isSet ? 'set' : 'NOT SET: dates and signatures may look wrong'}`,
    ...store.problems.map((problem) => `Problem  ${problem}`),
    ...status.warnings.map((warning) => `Warning  ${warning}`),
  ];
  return lines.join('\n');
}

function printWaiting({ waiting, merge }: Status): readonly string[] {
  const { conflicts = 0, late = 0, proposals = 0 } = waiting ?? {};
  const words = [
    ...(conflicts === 0 ? [] : [`${conflicts} in conflict (nymote conflicts)`]),
    ...(late === 0 ? [] : [`late changes of ${late} (nymote late)`]),
    ...(proposals === 0 ? [] : [`${proposals} proposed (nymote proposals)`]),
  ];
  return [
    ...(merge === undefined ? [] : [`Problem  ${printMerge(merge)}`, `           → ${merge.fix}`]),
    ...(words.length === 0 ? [] : [`Decide   ${words.join(', ')}`]),
  ];
}

const printMerge = ({ problems }: NonNullable<Status['merge']>): string =>
  `what your devices changed does not fit together, so an older state is in force: ${problems.join('; ')}`;

/** Who has the same, and since when; what is going on. */
function printStandings(standings: NonNullable<Status['sync']>): readonly string[] {
  return standings.map(({ name, agoSeconds, problem, done, of }) => {
    if (done !== undefined) return `           ${name}: catching up, ${done} of ${of ?? 'many'}`;
    if (problem !== undefined) return `           ${name}: ${problem}`;
    const ago = agoSeconds === undefined ? 'not met yet' : `met ${agoSeconds} s ago`;
    return `           ${name}: ${ago}`;
  });
}

function printEncryptedDns({ dot, doh, certificate }: NonNullable<Status['encryptedDns']>): string {
  const places = [
    ...(dot.length === 0 ? [] : [`over TLS on ${dot.join(', ')}`]),
    ...(doh.length === 0 ? [] : [`over HTTPS on ${doh.join(', ')}`]),
  ];
  const whose = certificate.isOwn ? 'its own certificate' : 'a certificate';
  return `           ${places.join('; ')}; ${whose} until ${date(certificate.expiresAt)}`;
}

/** The devices as a table. */
export function printDevices(devices: readonly Device[]): string {
  const rows = devices.map(({ fqdn, kind, role, state, ipv6, ipv4, self }) => [
    fqdn,
    role === undefined || role === 'owner' ? kind : `${kind} (${role})`,
    self ? 'this one' : state,
    ipv6,
    ipv4 ?? '',
  ]);
  return table([['NAME', 'KIND', 'STATE', 'IPV6', 'IPV4'], ...rows]);
}

/** What to do with a device just added: a QR code or a command. */
export function printAdded(added: AddedDevice): string {
  if (added.kind === 'plain') {
    return [
      qrCode(added.config),
      `Scan this with the WireGuard app on ${added.device.name}. It is shown once and not kept.`,
      '',
      added.config,
    ].join('\n');
  }
  return [
    'Run this on the new device:',
    '',
    `  ${added.command}`,
    '',
    'Or scan this there, and give `nymote join` what it says:',
    qrCode(added.uri),
    `The code works once, until ${date(added.expiresAt)}.`,
    ...(added.command.endsWith('--auto-confirm')
      ? []
      : ['Both then show six digits to compare; here `nymote device list` does.']),
  ].join('\n');
}

/** Dark on light whatever the terminal's colours are, and small enough for its height. */
function qrCode(text: string): string {
  const lines = renderUnicodeCompact(text, { border: 2, ecc: 'L' }).split('\n');
  return lines.map((line) => `\u001b[97;40m${line}\u001b[0m`).join('\n');
}

/** A decision with its reason; the sentence also says until when and which rules lost. */
export function printDecision({ sentence, rule, tier }: DecisionView): string {
  return rule === undefined ? sentence : `${sentence}\nRule: ${rule} (${tier ?? 'no'} tier)`;
}

/** Commits, one line each; below it what each changed, when that is wanted. */
export function printLog(commits: readonly CommitView[], isLong = false): string {
  if (commits.length === 0) return 'No change fits.';
  const lines = table(
    commits.map(({ id, date: at, author, person, via, message }) => [
      id.slice(0, SHORT_ID),
      date(at),
      `${person === undefined ? '' : `${person}, `}${author} (${via})`,
      // As git does: the subject, without the body.
      message.split('\n', 1)[0] ?? '',
    ]),
  ).split('\n');
  const below = (index: number) => (isLong ? (commits[index]?.what ?? []) : []);
  return lines
    .flatMap((line, index) => [line, ...below(index).map((what) => `    ${what}`)])
    .join('\n');
}

/** What changed, record by record. */
export function printDiff({ changes }: DiffView): string {
  if (changes.length === 0) return 'No difference.';
  return changes
    .flatMap(({ path, before, after }) => [path, ...side('-', before), ...side('+', after)])
    .join('\n');
}

/** Rules, the own ones first; each with its note or what it says. */
export function printRules({ rules, shipped }: RulesView): string {
  const row = (rule: RulesView['rules'][number]) =>
    ['id', 'tier', 'effect', 'note'].map((key) => String(rule[key] ?? ''));
  const own = rules.length === 0 ? ['You have no rules of your own.'] : [table(rules.map(row))];
  return [...own, '', 'Without any of yours:', table(shipped.map(row))].join('\n');
}

/** Tokens as a table. */
export function printTokens(tokens: readonly TokenView[]): string {
  if (tokens.length === 0) return 'There are no tokens.';
  const rows = tokens.map(({ id, name, expiresAt }) => [id, name, date(expiresAt)]);
  return table([['ID', 'NAME', 'UNTIL'], ...rows]);
}

/** Checks with what to do about the failing ones. */
export function printChecks(checks: readonly Check[]): string {
  return checks
    .flatMap(({ name, ok, detail, fix }) => [
      `${ok ? 'ok  ' : 'FAIL'}  ${name}: ${detail}`,
      ...(ok || fix === undefined ? [] : [`      → ${fix}`]),
    ])
    .join('\n');
}

function side(mark: string, value: unknown): string[] {
  if (value === undefined) return [];
  return JSON.stringify(value, undefined, 2)
    .split('\n')
    .map((line) => `${mark} ${line}`);
}

/** A date and time. */
export const date = (seconds: number): string =>
  `${new Date(seconds * 1_000).toISOString().slice(0, 16).replace('T', ' ')} UTC`;

/** Rows with their columns in line. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths =
    rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
