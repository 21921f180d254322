/**
 * The command line: each verb is one request to the running service, over its unix socket.
 *
 * The socket's file mode is the authorisation. `serve` and `join` are not here: they make the
 * service, they do not ask it.
 */

import { type Runtime, RuntimeError } from '#runtime';
import type { OptionsView, ProvenanceView } from '#web-admin';
import { parseOption } from '../apply/option.ts';
import { APPLY_ACTIONS, printProvenance } from './apply.ts';
import type { Invocation } from './arguments.ts';
import { DRAFT_ACTIONS } from './draft.ts';
import { ENROL_ACTIONS, printWaiting } from './enrol.ts';
import { EXCHANGE_ACTIONS } from './exchange.ts';
import { printExplanation } from './explain.ts';
import { HISTORY_ACTIONS } from './history.ts';
import { Misuse, readJson } from './misuse.ts';
import { NAME_ACTIONS } from './name.ts';
import {
  printAdded,
  printChecks,
  printDecision,
  printDevices,
  printDiff,
  printLog,
  printRules,
  printStatus,
  printTokens,
} from './print.ts';
import { TOGETHER_ACTIONS } from './together.ts';
import { UPSTREAM_ACTIONS } from './upstream.ts';

/** What a command ends with; scripts rely on these numbers. */
export const EXIT = { ok: 0, failed: 1, usage: 2, denied: 3, conflict: 4, unreachable: 5 } as const;

export type Outcome = {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
};

/** The socket of the service whose data is in `directory`. */
export const socketPath = (directory: string): string => `${directory}/nymote.sock`;

const DEFAULT_TOKEN_DAYS = 30;

type Api = <T>(method: string, path: string, body?: unknown) => Promise<T>;

/** RFC 9457, as far as we read it. */
type Problem = {
  readonly title: string;
  readonly status: number;
  readonly code?: string;
  readonly detail?: string;
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[];
};

/** A refusal of the service, with its HTTP status. */
class Refused extends Error {
  override readonly name = 'Refused';
  readonly problem: Problem;

  constructor(problem: Problem) {
    const errors = problem.errors?.map(({ pointer, detail }) => `${pointer.slice(1)}: ${detail}`);
    super(problem.detail ?? [problem.title, ...(errors ?? [])].join('; '));
    this.problem = problem;
  }
}

/** Runs one verb. Never throws: what went wrong is in the outcome. */
export async function runVerb(
  runtime: Pick<Runtime, 'http' | 'clock'>,
  directory: string,
  invocation: Invocation,
): Promise<Outcome> {
  const isJson = invocation.flags['json'] !== undefined;
  const verb = VERBS[invocation.verb.name];
  if (verb === undefined) throw new Error(`unreachable: ${invocation.verb.name} has no action`);
  try {
    const {
      value,
      text,
      exitCode = EXIT.ok,
    } = await verb(apiOver(runtime, directory), invocation, runtime);
    const stdout = isJson ? `${JSON.stringify(value, undefined, 2)}\n` : `${text}\n`;
    return { exitCode, stdout, stderr: '' };
  } catch (error) {
    return failure(error, directory, isJson);
  }
}

function failure(error: unknown, directory: string, isJson: boolean): Outcome {
  const { exitCode, message } = describe(error, directory);
  const problem = error instanceof Refused ? error.problem : { title: message, status: 0 };
  const stdout = isJson ? `${JSON.stringify({ problem }, undefined, 2)}\n` : '';
  return { exitCode, stdout, stderr: `nymote: ${message}\n` };
}

function describe(error: unknown, directory: string): { exitCode: number; message: string } {
  if (error instanceof Refused) {
    return { exitCode: exitCodeOf(error.problem), message: error.message };
  }
  if (error instanceof Misuse) return { exitCode: EXIT.usage, message: error.message };
  if (error instanceof RuntimeError) return notRunning(error, directory);
  throw error;
}

/** What it means that the socket cannot be reached. */
export function notRunning(
  { code }: RuntimeError,
  directory: string,
): { readonly exitCode: number; readonly message: string } {
  const message =
    code === 'denied'
      ? `no permission for ${socketPath(directory)}: run this as the user that runs nymote`
      : `nymote is not running with data in ${directory}; start it ('npm start', on OpenWrt '/etc/init.d/nymote start') or name its directory with --data`;
  return { exitCode: code === 'denied' ? EXIT.denied : EXIT.unreachable, message };
}

function exitCodeOf({ status, code }: Problem): number {
  if (code === 'read-only' || status === 401 || status === 403) return EXIT.denied;
  if (status === 409 || status === 412) return EXIT.conflict;
  return status === 503 ? EXIT.unreachable : EXIT.failed;
}

function apiOver(runtime: Pick<Runtime, 'http'>, directory: string): Api {
  return async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const request = new Request(`http://nymote/api/v1${path}`, {
      method,
      headers: {
        accept: 'application/json',
        ...(body ? { 'content-type': 'application/json' } : {}),
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    const response = await runtime.http.fetch(request, { path: socketPath(directory) });
    const text = await response.text();
    if (!response.ok) throw new Refused(readProblem(response.status, text));
    return (text === '' ? undefined : JSON.parse(text)) as T;
  };
}

function readProblem(status: number, text: string): Problem {
  try {
    return { ...(JSON.parse(text) as Problem), status };
  } catch {
    return { status, title: `the service answered ${status}` };
  }
}

type Answer = { readonly value: unknown; readonly text: string; readonly exitCode?: number };
/** One verb. */
export type Action = (
  api: Api,
  invocation: Invocation,
  runtime: Pick<Runtime, 'clock'>,
) => Promise<Answer>;

const VERBS: Readonly<Record<string, Action>> = {
  async status(api) {
    const status = await api<Parameters<typeof printStatus>[0]>('GET', '/status');
    return { value: status, text: printStatus(status) };
  },
  async 'device add'(api, { operands, flags }) {
    const kind = flags['node'] === undefined ? 'plain' : 'node';
    const body = {
      ...{ name: operands['name'], kind },
      ...(flags['role'] === undefined ? {} : { role: flags['role'] }),
      ...(flags['autoConfirm'] === undefined ? {} : { autoConfirm: true }),
    };
    const added = await api<Parameters<typeof printAdded>[0]>('POST', '/devices', body);
    return { value: added, text: printAdded(added) };
  },
  async 'device list'(api) {
    const list = await api<{ devices: Parameters<typeof printDevices>[0] }>('GET', '/devices');
    const waiting = await api<Parameters<typeof printWaiting>[0]>('GET', '/enrolments');
    const text = [printDevices(list.devices), printWaiting(waiting)].filter(Boolean).join('\n\n');
    return { value: { ...list, waiting: waiting.devices }, text };
  },
  async 'device remove'(api, { operands }) {
    const name = operands['name'] ?? '';
    await api('DELETE', `/devices/${encodeURIComponent(name)}`);
    return {
      value: { removed: name },
      text: `${name} is removed: its name, its keys and its tunnel.`,
    };
  },
  async 'rule list'(api) {
    const rules = await api<Parameters<typeof printRules>[0]>('GET', '/rules');
    return { value: rules, text: printRules(rules) };
  },
  async 'rule set'(api, { operands }) {
    const name = operands['name'] ?? '';
    const rule = readJson(operands['json'] ?? '', 'The rule is not JSON.');
    await api('PUT', `/rules/${encodeURIComponent(name)}`, rule);
    return { value: { rule: name }, text: `Rule ${name} holds.` };
  },
  async 'rule remove'(api, { operands }) {
    const name = operands['name'] ?? '';
    await api('DELETE', `/rules/${encodeURIComponent(name)}`);
    return { value: { removed: name }, text: `Rule ${name} is gone.` };
  },
  async 'zone show'(api) {
    const zone = await api<{ records: string[] }>('GET', '/zone');
    return { value: zone, text: zone.records.join('\n') };
  },
  async 'zone anchor'(api, { flags }) {
    const anchor = await api<Record<string, string>>('GET', '/zone/anchor');
    const format = flags['format'] ?? 'delv';
    const text = anchor[format];
    if (text === undefined) {
      throw new Misuse(`--format takes ${Object.keys(anchor).join(', ')}`);
    }
    return { value: anchor, text: text.trimEnd() };
  },
  async why(api, { operands, flags }, { clock }) {
    const line = lineOf(operands) ?? (await optionOf(api, operands));
    if (line !== undefined) {
      const found = await api<ProvenanceView>('GET', `/why?${new URLSearchParams({ line })}`);
      return { value: found, text: printProvenance(found) };
    }
    const query = new URLSearchParams({ name: operands['name'] ?? '' });
    for (const key of ['asker', 'verb']) {
      const value = flags[key];
      if (value !== undefined) query.set(key, value);
    }
    const at = flags['at'] === undefined ? clock.now() : Date.parse(flags['at']) / 1_000;
    if (Number.isNaN(at)) throw new Misuse(`--at: '${flags['at']}' is not a date and time`);
    query.set('at', String(Math.floor(at)));
    const decision = await api<Parameters<typeof printDecision>[0]>('GET', `/why?${query}`);
    return { value: decision, text: printDecision(decision) };
  },
  async explain(api, { operands, flags }) {
    const query = new URLSearchParams({ name: operands['name'] ?? '' });
    if (operands['type'] !== undefined) query.set('type', operands['type']);
    if (flags['asker'] !== undefined) query.set('asker', flags['asker']);
    if (flags['fresh'] !== undefined) query.set('fresh', '1');
    const told = await api<Parameters<typeof printExplanation>[0]>('GET', `/explain?${query}`);
    return { value: told, text: printExplanation(told) };
  },
  async log(api, { flags }) {
    const query = new URLSearchParams({ limit: flags['limit'] ?? '20' });
    for (const key of ['path', 'device', 'grep']) {
      const value = flags[key];
      if (value !== undefined) query.set(key, value);
    }
    const log = await api<{ commits: Parameters<typeof printLog>[0] }>('GET', `/log?${query}`);
    return { value: log, text: printLog(log.commits, flags['what'] !== undefined) };
  },
  async diff(api, { operands }) {
    const to = operands['to'] ?? operands['from'] ?? (await newest(api));
    const query = new URLSearchParams({ to });
    if (operands['to'] !== undefined && operands['from'] !== undefined)
      query.set('from', operands['from']);
    const diff = await api<Parameters<typeof printDiff>[0]>('GET', `/diff?${query}`);
    return { value: diff, text: printDiff(diff) };
  },
  async signers(api) {
    const signers = await api<{ allowedSigners: string }>('GET', '/log/signers');
    return { value: signers, text: signers.allowedSigners.trimEnd() };
  },
  async 'token add'(api, { operands, flags }) {
    const wanted = { name: operands['name'], days: Number(flags['days'] ?? DEFAULT_TOKEN_DAYS) };
    const issued = await api<{ token: string }>('POST', '/tokens', wanted);
    return {
      value: issued,
      text: `${issued.token}\n(shown once; until nymote restarts at the latest)`,
    };
  },
  async 'token list'(api) {
    const list = await api<{ tokens: Parameters<typeof printTokens>[0] }>('GET', '/tokens');
    return { value: list, text: printTokens(list.tokens) };
  },
  async 'token remove'(api, { operands }) {
    const id = operands['id'] ?? '';
    await api('DELETE', `/tokens/${encodeURIComponent(id)}`);
    return { value: { removed: id }, text: `Token ${id} is worthless now.` };
  },
  async 'sign-in'(api) {
    const link = await api<{ url: string; expiresAt: number }>('POST', '/session/link');
    return { value: link, text: `${link.url}\n(works once, for ten minutes)` };
  },
  ...APPLY_ACTIONS,
  ...ENROL_ACTIONS,
  ...HISTORY_ACTIONS,
  ...DRAFT_ACTIONS,
  ...NAME_ACTIONS,
  ...TOGETHER_ACTIONS,
  ...EXCHANGE_ACTIONS,
  ...UPSTREAM_ACTIONS,
  async doctor(api) {
    const report = await api<{ checks: Parameters<typeof printChecks>[0] }>('GET', '/doctor');
    const isWell = report.checks.every(({ ok }) => ok);
    return {
      value: report,
      text: printChecks(report.checks),
      exitCode: isWell ? EXIT.ok : EXIT.failed,
    };
  },
};

/** `why network.lan.ipaddr` is about an option where there is one, and about a name where there is none. */
async function optionOf(
  api: Api,
  { name = '' }: Invocation['operands'],
): Promise<string | undefined> {
  if (parseOption(name) === undefined) return undefined;
  const { options } = await api<OptionsView>('GET', '/options');
  return options.some(({ option }) => option === name) ? `uci ${name}` : undefined;
}

/** `why uci network.lan.ipaddr` and `why wg0.peer.phone` are about lines, one word else about a name. */
function lineOf({ name = '', line, type }: Invocation['operands']): string | undefined {
  if (line === undefined && !/^[^.]+\.peer\./.test(name)) return undefined;
  return [name, line, type].filter((word) => word !== undefined).join(' ');
}

async function newest(api: Api): Promise<string> {
  const { commits } = await api<{ commits: readonly { id: string }[] }>('GET', '/log?limit=1');
  return commits[0]?.id ?? '';
}
