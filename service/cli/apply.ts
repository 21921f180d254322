/** The verbs about a router's own configuration, and what they print. */

import type { ApplyView, DriftView, OptionsView, ProvenanceView } from '#web-admin';
import { date, SHORT_ID, table } from './print.ts';
import type { Action } from './verbs.ts';

type Value = string | readonly string[];

const WORDS = {
  confirmed: 'confirmed',
  'rolled-back': 'taken back',
  failed: 'not applied',
} as const;
const SIGNS = { missing: 'missing', extra: 'not in the head', different: 'different' } as const;

/** By the words that are typed. */
export const APPLY_ACTIONS: Readonly<Record<string, Action>> = {
  async 'option set'(api, { operands, flags }) {
    const { option = '', value: text = '' } = operands;
    const value = flags['list'] === undefined ? text : text.split(',');
    const { device, firstOn, note } = flags;
    const body = {
      option,
      value,
      ...(device === undefined ? {} : { device }),
      ...(firstOn === undefined ? {} : { firstOn }),
      ...(note === undefined ? {} : { note }),
    };
    await api('PUT', '/options', body);
    return {
      value: body,
      text: `${option} is to be ${printValue(value)}; 'nymote apply status' says what became of it.`,
    };
  },
  async 'option unset'(api, { operands, flags }) {
    const option = operands['option'] ?? '';
    const device = flags['device'] ?? (await ownId(api));
    await api('DELETE', `/options/${encodeURIComponent(device)}/${encodeURIComponent(option)}`);
    return { value: { unset: option }, text: `${option} becomes what it was before.` };
  },
  async 'option list'(api) {
    const list = await api<OptionsView>('GET', '/options');
    return { value: list, text: printOptions(list) };
  },
  async 'apply status'(api) {
    const view = await api<ApplyView>('GET', '/apply');
    return { value: view, text: printApply(view) };
  },
  async 'apply retry'(api) {
    await api('POST', '/apply/retry');
    return { value: {}, text: "It is tried again; 'nymote apply status' says how it goes." };
  },
  async 'apply extend'(api, { operands }) {
    const seconds = Number(operands['seconds']);
    await api('POST', '/apply/extend', { seconds });
    return { value: { seconds }, text: `It has ${seconds} seconds from now.` };
  },
  async confirm(api, { operands }, { clock }) {
    const { id } = operands;
    const confirmed = await api<{ id: string }>('POST', '/apply/confirm', {
      ...(id === undefined ? {} : { id }),
    });
    const known = await untilKnown(() => api<ApplyView>('GET', '/apply'), clock, confirmed.id);
    return { value: { ...confirmed, ...known.value }, text: known.text, exitCode: known.exitCode };
  },
  async rollback(api, _, { clock }) {
    const { pending } = await api<ApplyView>('GET', '/apply');
    await api('POST', '/apply/rollback');
    const back = await untilBack(() => api<ApplyView>('GET', '/apply'), clock, pending?.id);
    return { value: back.value, text: back.text, exitCode: back.exitCode };
  },
  async drift(api, { flags }) {
    const path = DRIFT_PATHS.find((each) => flags[each] !== undefined);
    const view = await (path === undefined
      ? api<DriftView>('GET', '/drift')
      : api<DriftView>('POST', `/drift/${path}`));
    return { value: view, text: printDrift(view, path) };
  },
};

const DRIFT_PATHS = ['heal', 'adopt'] as const;

async function ownId(api: Parameters<Action>[0]): Promise<string> {
  const { device } = await api<{ device: { id: string } }>('GET', '/status');
  return device.id;
}

/** Two looks of the engine at what works, and the guard's own work on slow flash. */
const KNOWN_MS = 45_000;
const LOOK_MS = 500;

const WAITING = 'Waiting until everything works and its guard knows …\n';

type Known = { readonly value: object; readonly text: string; readonly exitCode: number };

type Look = () => Promise<ApplyView>;
type Waiting = Pick<Parameters<Action>[2]['clock'], 'monotonic' | 'sleep'>;

/** Looks again as long as `isOpen`, and we have patience. */
async function lookWhile(
  look: Look,
  clock: Waiting,
  first: ApplyView,
  isOpen: (view: ApplyView) => boolean,
): Promise<ApplyView> {
  const end = clock.monotonic() + KNOWN_MS;
  let view = first;
  while (isOpen(view) && clock.monotonic() < end) {
    await clock.sleep(LOOK_MS);
    view = await look();
  }
  return view;
}

/** Waits until the guard knows, which alone makes that it stays; says so if that takes too long. */
async function untilKnown(look: Look, clock: Waiting, id: string): Promise<Known> {
  const isPending = ({ pending: own, devices }: ApplyView): boolean =>
    own?.id === id || devices.some(({ pending }) => pending?.id === id);
  const first = await look();
  const device = first.devices.find(({ pending }) => pending?.id === id)?.device;
  const isOwn = first.pending?.id === id;
  if (isPending(first) && process.stderr.isTTY) process.stderr.write(WAITING);
  const view = await lookWhile(look, clock, first, isPending);
  if (isPending(view))
    return { value: { stays: false }, text: printWaiting(view, id), exitCode: 1 };
  const last = isOwn ? view.last : view.devices.find((each) => each.device === device);
  const isBack = last?.outcome === 'rolled-back' || last?.outcome === 'failed';
  const text = isBack
    ? `Change ${id} was taken back all the same: ${last?.reason ?? ''}.`
    : `Change ${id} is confirmed: it stays.`;
  return { value: { stays: !isBack }, text, exitCode: isBack ? 1 : 0 };
}

/** Waits until the old configuration is there again; a confirmation may have been faster. */
async function untilBack(look: Look, clock: Waiting, id: string | undefined): Promise<Known> {
  const isPending = ({ pending }: ApplyView): boolean => pending !== undefined && pending.id === id;
  const view = await lookWhile(look, clock, await look(), isPending);
  if (isPending(view)) {
    const text = "It is being taken back; 'nymote apply status' says when it is.";
    return { value: { back: false }, text, exitCode: 1 };
  }
  const { outcome, reason = '' } = view.last ?? {};
  if (outcome === 'confirmed') {
    return {
      value: { back: false },
      text: 'Too late: it was confirmed, and stays.',
      exitCode: 1,
    };
  }
  return outcome === 'failed'
    ? { value: { back: false }, text: `It ended otherwise: ${reason}.`, exitCode: 1 }
    : { value: { back: true }, text: 'It is taken back.', exitCode: 0 };
}

function printWaiting({ pending }: ApplyView, id: string): string {
  if (pending?.id !== id) {
    return `Change ${id} is confirmed; its router has not heard of it yet, or waits until everything works there.`;
  }
  const { failing, secondsLeft } = pending;
  const why =
    failing.length === 0 ? 'it is still being tried' : `${failing.join(', ')} does not work`;
  const until = secondsLeft === undefined ? '' : `; otherwise it is taken back in ${secondsLeft} s`;
  return `Change ${id} is confirmed by you, and waits: ${why}${until}.`;
}

/** What is applied, the urgent first. */
export function printApply({ state, reason, pending, last, applied, devices }: ApplyView): string {
  const lines = [
    ...(pending === undefined ? [] : printPending(pending)),
    ...(state === 'off' ? [`Options are not applied here: ${reason ?? ''}.`] : []),
    ...(state === 'on' && reason !== undefined ? [`Not applied: ${reason}.`] : []),
    ...(applied === undefined ? [] : [`In force: the options of ${applied.slice(0, SHORT_ID)}.`]),
    ...(last === undefined
      ? []
      : [
          `Last change (${last.commit.slice(0, SHORT_ID)}): ${WORDS[last.outcome]}, ${last.reason}.`,
        ]),
  ];
  const rows = devices.map((device) => [
    device.name,
    device.pending === undefined
      ? WORDS[device.outcome ?? 'failed']
      : `trying ${device.pending.id}`,
    (device.applied ?? '').slice(0, SHORT_ID),
    date(device.at),
    device.pending === undefined ? (device.reason ?? '') : '',
  ]);
  if (lines.length === 0) lines.push('Nothing was applied yet.');
  return [...lines, ...(rows.length === 0 ? [] : ['', table(rows)])].join('\n');
}

function printPending(pending: NonNullable<ApplyView['pending']>): readonly string[] {
  const { id, kind, options, secondsLeft, failing, confirmedBy } = pending;
  const deadline = secondsLeft === undefined ? '' : `, taken back in ${secondsLeft} s`;
  return [
    `Pending ${id}: ${options.join(', ')}${deadline}.`,
    ...(failing.length === 0 ? [] : [`  Does not work: ${failing.join(', ')}.`]),
    ...(kind === 'risky' && confirmedBy === undefined
      ? [`  It stays only if somebody says so, on any of your devices: nymote confirm ${id}`]
      : []),
    ...(confirmedBy === undefined ? [] : [`  Confirmed by ${confirmedBy}.`]),
  ];
}

/** The options of all devices. */
export function printOptions({ options }: OptionsView): string {
  if (options.length === 0) return 'There are no options.';
  return table(
    options.map(({ name, option, value, firstOn, note }) => [
      name,
      option,
      printValue(value),
      firstOn === undefined ? '' : `after ${firstOn}`,
      note ?? '',
    ]),
  );
}

/** What differs, as a diff. */
export function printDrift(
  { drift, reason }: DriftView,
  done?: (typeof DRIFT_PATHS)[number],
): string {
  const unread = reason === undefined ? [] : [`Its options are not compared: ${reason}.`];
  if (drift.length === 0) {
    return unread[0] ?? 'This device is as the head says.';
  }
  const lines = drift.flatMap(({ target, line, kind, wanted, found, source }) => [
    `${target} ${line} (${SIGNS[kind]}${source === undefined ? '' : `, ${source}`})`,
    ...(wanted === undefined ? [] : [`- ${printValue(wanted)}`]),
    ...(found === undefined ? [] : [`+ ${printValue(found)}`]),
  ]);
  const words = {
    heal: "These are put right; 'nymote apply status' says how it goes.",
    adopt: 'The head says so now:',
  };
  return [...(done === undefined ? [] : [words[done]]), ...lines, ...unread].join('\n');
}

/** The chain from a line to its rule. */
export function printProvenance({ lines }: ProvenanceView): string {
  return lines
    .map(({ target, line, value, source, person, version, rule, commits }) =>
      [
        `${target} ${line} = ${printValue(value)}`,
        `  rule     ${rule.id ?? 'none'} (${rule.tier}): ${rule.sentence}`,
        `  person   ${person}`,
        ...commits.map(
          ({ id, device, via, at, message }, index) =>
            `  ${index === 0 ? 'commit ' : 'before '}  ${id.slice(0, SHORT_ID)} by ${device} (${via}), ${date(at)}: ${message}`,
        ),
        `  source   ${source}`,
        `  version  nymote ${version}`,
      ].join('\n'),
    )
    .join('\n\n');
}

const printValue = (value: Value): string => (typeof value === 'string' ? value : value.join(', '));
