/**
 * The comparison's internet on loopback: root and `lab.` on NSD, the zones below on BIND, NSD and
 * Knot, and our resolver and Debian's Unbound, which both validate.
 *
 * Unprivileged. BIND listens on addresses that an interface has, and lo has only 127.0.0.1.
 */

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createResolver, decodeMessage, encodeMessage, type Message, printRecord } from '#resolver';
import type { Endpoint } from '#runtime';
import { nodeRuntime } from '#runtime/node';
import { takePort } from '../suites/ports.ts';
import { until } from '../suites/waiting.ts';
import { type Asking, contentOf, type Draw } from './side-by-side-questions.ts';
import type { Host, LabZone } from './side-by-side-zones.ts';
import {
  fileOf,
  LAB,
  queryFor,
  ROOT,
  start,
  startNsd,
  startUnbound,
  UNBOUND,
  waitFor,
  writeZone,
} from './validation-stand.ts';

const runtime = nodeRuntime({ log: () => undefined });

const ADDRESSES: Readonly<Record<Host, string>> = {
  nsd: '127.53.0.4',
  bind: '127.0.0.1',
  knot: '127.53.0.6',
};

/** What a resolver said: `NOERROR AD` and the answer's records, sorted, without TTLs. */
export type Said = { readonly status: string; readonly records: readonly string[] };

export type SideBySide = AsyncDisposable & {
  readonly anchor: string;
  ours(asking: Asking): Promise<Said>;
  unbounds(asking: Asking): Promise<Said>;
};

/** What a server of the internet sent to our resolver. */
export type Heard = (reply: Uint8Array, from: Endpoint) => void;

/** Signs, starts everything and waits until it answers. */
export async function openSideBySide(
  zones: readonly LabZone[],
  draw: Draw,
  heard: Heard = () => undefined,
): Promise<SideBySide> {
  const folder = await mkdtemp(join(tmpdir(), 'nymote-side-'));
  const port = await takePort();
  const running: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (const stop of running) await stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const anchor = await signAll(folder, zones, draw);
    const on = (host: Host) =>
      zones.filter((zone) => zone.host === host).map(({ name }) => `${name}.lab.`);
    running.push(await startNsd(folder, port, ROOT, ['.']));
    running.push(await startNsd(folder, port, LAB, ['lab.']));
    running.push(await startNsd(folder, port, ADDRESSES.nsd, on('nsd')));
    running.push(await startBind(folder, port, on('bind')));
    running.push(await startKnot(folder, port, on('knot')));
    const unboundPort = await takePort();
    const leaves = zones.map(({ name, host }) => [`${name}.lab.`, ADDRESSES[host]] as const);
    const served = [['.', ROOT] as const, ['lab.', LAB] as const, ...leaves];
    running.push(await startUnbound(folder, port, unboundPort, anchor, served));
    const own = await startOwn(port, anchor, running, heard);
    const theirs = { address: UNBOUND, port: unboundPort };
    for (const address of [ROOT, LAB, ...Object.values(ADDRESSES)]) {
      await waitFor({ address, port });
    }
    await waitFor(theirs);
    await untilServed(zones, port);
    return {
      anchor,
      ours: await asker(own, running),
      unbounds: await asker(theirs, running),
      [Symbol.asyncDispose]: close,
    };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

/** A zone that its server does not load would make everything below it equal: SERVFAIL. */
async function untilServed(zones: readonly LabZone[], port: number): Promise<void> {
  const opened: (() => Promise<unknown>)[] = [];
  for (const host of Object.keys(ADDRESSES) as Host[]) {
    const ask = await asker({ address: ADDRESSES[host], port }, opened);
    for (const { name } of zones.filter((zone) => zone.host === host)) {
      const isServed = async () =>
        (await ask({ name: `${name}.lab.`, type: 'SOA' })).records.length > 0;
      await until(`${host} serves ${name}`, isServed);
    }
  }
  for (const close of opened) await close();
}

async function startOwn(
  port: number,
  anchor: string,
  running: (() => Promise<unknown>)[],
  heard: Heard,
): Promise<Endpoint> {
  const udp: typeof runtime.udp = {
    bind: (local, receive) =>
      runtime.udp.bind(local, (data, from) => {
        if (from.port === port) heard(data, from);
        receive(data, from);
      }),
  };
  const resolver = createResolver(
    { ...runtime, udp },
    {
      listen: [{ address: '127.0.0.1', port: 0 }],
      before: () => ({ kind: 'recurse' }),
      rootHints: [{ name: 'ns.', addresses: [ROOT] }],
      trustAnchors: [anchor],
      upstreamPort: port,
      allowPrivateUpstream: true,
      localZones: false,
    },
  );
  running.unshift(async () => resolver[Symbol.asyncDispose]());
  const [own] = await resolver.start();
  if (own === undefined) throw new Error('the resolver listens nowhere');
  return own;
}

/* Asking */

/** Answers to questions in flight, over one socket, told apart by their ids. */
async function asker(
  server: Endpoint,
  running: (() => Promise<unknown>)[],
): Promise<(asking: Asking) => Promise<Said>> {
  const waiting = new Map<number, (reply: Message) => void>();
  const socket = await runtime.udp.bind({ address: '0.0.0.0', port: 0 }, (data) => {
    const decoded = decodeMessage(data);
    if (decoded.ok) waiting.get(decoded.message.id)?.(decoded.message);
  });
  running.unshift(async () => socket[Symbol.asyncDispose]());
  let last = 0;
  return async ({ name, type }) => {
    const id = ++last & 0xffff;
    const query = encodeMessage({ ...queryFor(name, type, false), id });
    // Unbound drops what it is busy with for too long; stubs ask again, and so do we.
    for (let attempt = 0; attempt < 3; attempt++) {
      const { promise, resolve } = Promise.withResolvers<Message | undefined>();
      waiting.set(id, resolve);
      const cancel = runtime.clock.after(12_000, () => resolve(undefined));
      socket.send(query, server);
      const reply = await promise;
      cancel();
      waiting.delete(id);
      if (reply?.truncated === true) return describe(await overTcp(server, query));
      if (reply !== undefined) return describe(reply);
    }
    return { status: 'silence', records: [] };
  };
}

/** What did not fit into a datagram: each has a limit of its own. */
async function overTcp(server: Endpoint, query: Uint8Array): Promise<Message> {
  await using connection = await runtime.tcp.connect(server);
  await connection.write(Uint8Array.of(query.length >> 8, query.length & 255, ...query));
  let held = new Uint8Array(0);
  for await (const chunk of connection.received()) {
    held = Uint8Array.of(...held, ...chunk);
    if (held.length < 2 || held.length < ((held[0] ?? 0) << 8) + (held[1] ?? 0) + 2) continue;
    const decoded = decodeMessage(held.subarray(2));
    if (decoded.ok) return decoded.message;
  }
  throw new Error(`${server.address} ended the connection`);
}

const RCODES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED', 'YXDOMAIN'];

/** A reply as it is compared. */
export function describe(reply: Message): Said {
  const status = `${RCODES[reply.rcode] ?? reply.rcode}${reply.authenticData ? ' AD' : ''}${reply.truncated ? ' TC' : ''}`;
  // Names are compared without regard to case, and case means nothing anywhere else either.
  const records = reply.answers.map((record) => printRecord({ ...record, ttl: 0 }).toLowerCase());
  return { status, records: [...new Set(records)].sort((a, b) => (a < b ? -1 : 1)) };
}

/* Zones */

async function signAll(folder: string, zones: readonly LabZone[], draw: Draw): Promise<string> {
  const delegations = new Map<string, string[]>();
  // Children first: their DS belongs into the parent.
  for (const zone of [...zones].reverse()) {
    const { name, host } = zone;
    const apex = `${name}.lab.`;
    const below = delegations.get(apex) ?? [];
    const server = [`@ NS ns.${apex}`, `ns.${apex} A ${ADDRESSES[host]}`];
    const lines = [...server, ...contentOf(zone, zones, draw), ...below];
    const ds = await writeZone(folder, apex, lines, zone);
    const parent = apex.slice(apex.indexOf('.') + 1);
    const shown = ds === undefined || zone.ds === undefined ? ds : zone.ds(ds);
    const delegation = [`${apex} NS ns.${apex}`, `ns.${apex} A ${ADDRESSES[host]}`];
    if (shown !== undefined) delegation.push(shown);
    delegations.set(parent, [...(delegations.get(parent) ?? []), ...delegation]);
  }
  const sound = { algorithm: 'ECDSAP256SHA256' };
  const below = delegations.get('lab.') ?? [];
  const lab = await writeZone(folder, 'lab.', ['@ NS ns', `ns A ${LAB}`, ...below], sound);
  const root = ['@ NS ns', `ns A ${ROOT}`, 'lab NS ns.lab', `ns.lab A ${LAB}`, lab ?? ''];
  const anchor = await writeZone(folder, '.', root, { algorithm: 'RSASHA256' });
  if (anchor === undefined) throw new Error('the root has no DS');
  return anchor;
}

async function startBind(folder: string, port: number, zones: readonly string[]) {
  const config = join(folder, 'named.conf');
  const blocks = zones.map(
    (zone) => `zone "${zone}" { type primary; file "${fileOf(zone)}.signed"; };`,
  );
  await writeFile(
    config,
    `options {
  directory "${folder}";
  pid-file none;
  session-keyfile none;
  listen-on port ${port} { ${ADDRESSES.bind}; };
  listen-on-v6 { none; };
  recursion no;
  dnssec-validation no;
  minimal-responses yes;
  check-integrity no;
};
controls { };
${blocks.join('\n')}
`,
  );
  return start('named', '-f', '-c', config, '-n', '1');
}

async function startKnot(folder: string, port: number, zones: readonly string[]) {
  await mkdir(join(folder, 'knot'), { recursive: true });
  const config = join(folder, 'knot.conf');
  const blocks = zones.map((zone) => `  - domain: "${zone}"\n    file: "${fileOf(zone)}.signed"`);
  await writeFile(
    config,
    `server:
  rundir: "${folder}/knot"
  listen: ${ADDRESSES.knot}@${port}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: "${folder}/knot"
log:
  - target: stderr
    any: error
template:
  - id: default
    storage: "${folder}"
    zonefile-sync: -1
    journal-content: none
    semantic-checks: off
zone:
${blocks.join('\n')}
`,
  );
  return start('knotd', '-c', config);
}
