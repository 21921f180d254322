/** The faces of the running house: the unix socket of the command line, and the web. */

import type { Runtime } from '#runtime';
import { type Assets, createApp } from '#web-admin';
import { serveBackups } from '../backup/serve.ts';
import { socketPath } from '../cli/verbs.ts';
import { type Config, printEndpoint, readEndpoint } from '../config.ts';
import type { House } from '../house.ts';
import { createBackend } from './backend.ts';

/** The unix socket for the command line, and the web listeners. */
export async function openFaces(
  opening: AsyncDisposableStack,
  runtime: Runtime,
  config: Config,
  house: House,
  assets: Assets,
): Promise<readonly string[]> {
  const backend = createBackend(house);
  const hosts = (): readonly string[] => [
    ...['localhost', '127.0.0.1', '::1', house.household().apex],
    ...house
      .projection()
      .devices.filter(({ id }) => id === house.household().self)
      .flatMap(({ fqdn, ipv4, ipv6, endpoints }) => [
        ...[fqdn, ipv4, ipv6],
        ...endpoints.flatMap((text) => readEndpoint(text)?.address ?? []),
      ]),
    ...config.admin.map(({ address }) => address),
    ...config.endpoints,
  ];
  const options = { clock: runtime.clock, log: runtime.log, hosts, assets };
  const forCli = opening.use(createApp(backend, { ...options, trust: 'unix' }));
  opening.use(
    await runtime.http.listen(
      { path: socketPath(config.data) },
      (request, from) => serveBackups(house, runtime.log, request) ?? forCli.fetch(request, from),
    ),
  );
  const forWeb = opening.use(createApp(backend, { ...options, trust: 'web' }));
  for (const endpoint of config.admin) {
    opening.use(await runtime.http.listen(endpoint, forWeb.fetch));
  }
  return config.admin.map((endpoint) => `http://${printEndpoint(endpoint)}`);
}
