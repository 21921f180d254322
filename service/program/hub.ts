/** `nymote hub`, and what is asked of the database behind one. */

import { type Runtime, RuntimeError } from '#runtime';
import type { Invocation } from '../cli/arguments.ts';
import { EXIT } from '../cli/verbs.ts';
import { printEndpoint } from '../config.ts';
import type { HubSettings } from '../hub/serve.ts';
import { openRuntime } from '../machine.ts';
import { VERSION } from '../version.ts';
import { blame, explainFailure, type Hints, say } from './say.ts';
import { untilStopped } from './stop.ts';

/** A hub, or something about one; what its database says against it is for people. */
export async function hub({ verb, flags, operands }: Invocation): Promise<number> {
  const { readHubSettings, runHub } = await import('../hub/serve.ts');
  const settings = readHubSettings(flags, process.env);
  if ('message' in settings) return blame([settings]);
  try {
    const runtime = await openRuntime('info');
    if (verb.name !== 'hub') {
      return say(await runHub(runtime, settings, verb.name, { flags, operands }));
    }
    return await serveHub(runtime, settings);
  } catch (error) {
    if (error instanceof RuntimeError) return explainFailure(error, HUB_HINTS);
    return say({ exitCode: EXIT.failed, stdout: '', stderr: `nymote: hub: ${reasonOf(error)}\n` });
  }
}

async function serveHub(runtime: Runtime, settings: HubSettings): Promise<number> {
  const { startHub } = await import('../hub/serve.ts');
  const stopped = untilStopped();
  await using opened = await startHub(runtime, settings);
  const where = `${settings.tls ? 'https' : 'http'}://${printEndpoint(opened.endpoint)}`;
  process.stdout.write(`nymote ${VERSION}: a hub at ${where}\nReady. Ctrl-C stops it.\n`);
  await stopped;
  return EXIT.ok;
}

const HUB_HINTS: Hints = {
  'address-in-use': 'Stop the other program, or choose another address or port: --listen.',
};

/** PostgreSQL refuses by a message; what cannot be reached has only a code. */
function reasonOf(error: unknown): string {
  const { message, code } = error as { message?: string; code?: string };
  return message || code || String(error);
}
