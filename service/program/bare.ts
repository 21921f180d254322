/** `nymote resolver`: nothing but the resolver, in the foreground. */

import type { Invocation } from '../cli/arguments.ts';
import { printExplanation, type Told } from '../cli/explain.ts';
import { EXIT, type Outcome } from '../cli/verbs.ts';
import { explainBare, readBareFile, startBare } from '../dns/bare.ts';
import { openRuntime } from '../machine.ts';
import { blame, explainFailure, type Hints, say } from './say.ts';
import { untilStopped } from './stop.ts';

const BARE_HINTS: Hints = {
  'address-in-use': 'Stop the other program, or choose another address or port: listen.',
  unreachable: 'No interface of this machine has that address: see listen, source and metrics.',
  denied: 'Ports below 1024 need root or CAP_NET_BIND_SERVICE.',
};

/** Nothing but the resolver: its file says all there is to say. */
export async function bareResolver({ flags, operands }: Invocation): Promise<number> {
  const path = flags['config'];
  if (path === undefined) {
    return blame([{ source: 'resolver', message: 'say where its settings are: --config FILE' }]);
  }
  if (flags['explain'] === undefined && operands['type'] !== undefined) {
    return blame([{ source: 'resolver', message: 'a type is only for --explain NAME' }]);
  }
  try {
    const read = await readBareFile((await openRuntime('error')).files, path);
    if ('problems' in read) return blame(read.problems);
    const { explain: name } = flags;
    if (name !== undefined) {
      const told = await explainBare(await openRuntime('error'), read.bare, {
        ...{ name, type: operands['type'] ?? 'A' },
      });
      return told === undefined ? blame([NO_QUESTION]) : say(explained(told, flags));
    }
    const runtime = await openRuntime(read.bare.logLevel, 'stdout');
    const stopped = untilStopped();
    const resolver = await startBare(runtime, read.bare);
    await stopped;
    await resolver[Symbol.asyncDispose]();
    return EXIT.ok;
  } catch (error) {
    return explainFailure(error, BARE_HINTS);
  }
}

const NO_QUESTION = { source: '--explain', message: 'a name, and after it a type such as AAAA' };

function explained(told: Told, { json }: Invocation['flags']): Outcome {
  const text = json === undefined ? printExplanation(told) : JSON.stringify(told, undefined, 2);
  return { exitCode: EXIT.ok, stdout: `${text}\n`, stderr: '' };
}
