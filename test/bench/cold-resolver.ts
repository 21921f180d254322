/**
 * Our resolver alone, as a process:
 * `node cold-resolver.ts ADDRESS PORT ROOT UPSTREAM-PORT ANCHOR [CACHE-MEGABYTES]`.
 */

import { createResolver } from '#resolver';
import { nodeRuntime } from '#runtime/node';

const [address = '', port = '', root = '', upstreamPort = '', anchor = '', megabytes = '256'] =
  process.argv.slice(2);

const resolver = createResolver(nodeRuntime({ log: () => undefined }), {
  listen: [{ address, port: Number(port) }],
  before: () => ({ kind: 'recurse' }),
  rootHints: [{ name: 'ns.', addresses: [root] }],
  trustAnchors: anchor === '' ? [] : [anchor],
  upstreamPort: Number(upstreamPort),
  allowPrivateUpstream: true,
  localZones: false,
  cacheBytes: Number(megabytes) * 1024 * 1024,
});
await resolver.start();

process.on('SIGTERM', () => process.exit(0));
// Whoever measures asks by a signal what the cache holds.
process.on('SIGUSR2', () => {
  const { cacheBytes, cacheEntries, upstreamSends } = resolver.stats();
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  console.log(
    JSON.stringify({ cacheBytes, cacheEntries, upstreamSends, heapUsed, external, arrayBuffers }),
  );
});
console.log('ready');
