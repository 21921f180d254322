/**
 * `nymote resolver`: the resolver alone, as conformance suites and packagers drive it. No store, no
 * keys, no zone of ours; everyone who reaches the listeners may ask.
 */

import { createResolver, type Resolver } from '#resolver';
import type { Files, Runtime } from '#runtime';
import { type BareConfig, type BareRead, readBareConfig } from './bare-config.ts';
import { printEndpoint } from './config.ts';

/** Reads the settings from a file; all that is wrong with them otherwise. */
export async function readBareFile(files: Files, path: string): Promise<BareRead> {
  const bytes = await files.read(path);
  if (bytes === undefined)
    return { problems: [{ source: path, message: 'there is no such file' }] };
  return readBareConfig(path, new TextDecoder().decode(bytes));
}

/** Starts to listen; says on the log where, and at level `debug` also each answer. */
export async function startBare(runtime: Runtime, { options }: BareConfig): Promise<Resolver> {
  const { log } = runtime;
  const resolver = createResolver(runtime, { ...options, before: () => ({ kind: 'recurse' }) });
  resolver.onAnswer(({ asker, transport, name, type, rcode, from, milliseconds, ede }) => {
    const seen = { asker: asker.address, transport, name, type, rcode, from };
    log('debug', 'answered', { ...seen, milliseconds: Math.round(milliseconds), ede: ede?.text });
  });
  for (const endpoint of await resolver.start()) {
    log('info', 'listening', { address: printEndpoint(endpoint) });
  }
  return resolver;
}
