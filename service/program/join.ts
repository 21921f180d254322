/** `nymote join`: makes this machine a device of a realm, with a person at both ends. */

import type { Runtime } from '#runtime';
import type { Invocation } from '../cli/arguments.ts';
import { spaced } from '../cli/enrol.ts';
import { EXIT } from '../cli/verbs.ts';
import { type Config, printEndpoint, readEndpoint } from '../config.ts';
import { join as joinBy } from '../peers/join.ts';
import { say } from './say.ts';

/** `nymote:join?at=…&code=…` is an address and a code in one, for cameras. */
function readInvitation({ operands }: Invocation): { endpoint: string; code: string } {
  const { endpoint = '', code = '' } = operands;
  if (!endpoint.startsWith('nymote:')) return { endpoint, code };
  const query = new URLSearchParams(endpoint.slice(endpoint.indexOf('?') + 1));
  return { endpoint: query.get('at') ?? '', code: query.get('code') ?? '' };
}

export async function join(
  runtime: Runtime,
  config: Config,
  invocation: Invocation,
): Promise<number> {
  const { endpoint: place, code } = readInvitation(invocation);
  const endpoint = readEndpoint(place, config.controlPort);
  if (endpoint === undefined) {
    const stderr = `nymote: '${place}' is not address:port\n`;
    return say({ exitCode: EXIT.usage, stdout: '', stderr });
  }
  process.stderr.write(`Asking ${printEndpoint(endpoint)} …\n`);
  const giveUp = new AbortController();
  process.once('SIGINT', () => giveUp.abort());
  const isAuto = invocation.flags['autoConfirm'] !== undefined;
  const joined = await joinBy(
    runtime,
    config,
    { endpoint, code, isAuto },
    { signal: giveUp.signal, compare: askToCompare, progress: showProgress },
  );
  if (!joined.ok)
    return say({ exitCode: EXIT.failed, stdout: '', stderr: `nymote: ${joined.reason}\n` });
  const stdout = `This machine is ${joined.name} now. Start it with: nymote serve --data ${config.data}\n`;
  return say({ exitCode: EXIT.ok, stdout, stderr: '' });
}

function askToCompare(code: string): void {
  process.stderr.write(
    `Compare: ${spaced(code)}\nIs that what the other device shows? Then confirm it there. Ctrl-C gives up.\n`,
  );
}

/** One line that is written over, where somebody is looking. */
function showProgress(done: number, of: number | undefined): void {
  if (process.stderr.isTTY) process.stderr.write(`\r${done} of ${of ?? 'many'} changes `);
}
