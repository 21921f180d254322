/**
 * `nymote resolver` before a root of one server, Debian's NSD, which is taken away: dig gets what it
 * got before, marked as old (RFC 8767); and answers made from proofs (RFC 8198).
 */

import { afterAll, beforeAll, expect, test } from 'vitest';
import { takePort } from '../suites/ports.ts';
import { type Bare, startBare } from './bare-stand.ts';
import { makeRoom } from './service-stand.ts';
import { startNsd, waitFor, writeZone } from './validation-stand.ts';

const ROOT = '127.53.0.7';
const AD = /flags:[^;]* ad[ ;]/;

let room: Awaited<ReturnType<typeof makeRoom>>;
let stopServer: () => Promise<void>;
let settings: Readonly<Record<string, unknown>>;
let serving: Bare;
let strict: Bare;

beforeAll(async () => {
  room = await makeRoom();
  const port = await takePort();
  const lines = ['@ NS ns', `ns A ${ROOT}`, 'a A 192.0.2.1', 'www A 192.0.2.80'];
  const anchor = await writeZone(room.path, '.', lines, { algorithm: 'ECDSAP256SHA256' });
  stopServer = await startNsd(room.path, port, ROOT, ['.']);
  await waitFor({ address: ROOT, port });
  settings = {
    rootHints: [{ name: 'ns.', addresses: [ROOT] }],
    trustAnchors: [anchor],
    upstreamPort: port,
    allowPrivateUpstream: true,
    localZones: false,
  };
  serving = await startBare(room.path, { ...settings, cacheMaxTtl: 1 });
  strict = await startBare(room.path, { ...settings, cacheMaxTtl: 1, serveStale: false });
});
afterAll(async () => {
  await serving?.[Symbol.asyncDispose]();
  await strict?.[Symbol.asyncDispose]();
  await stopServer?.();
  await room?.[Symbol.asyncDispose]();
});

test('what a server said is served as old when it is gone', async () => {
  const lasting = await startBare(room.path, settings);
  await using _ = lasting;
  for (const bare of [serving, strict]) {
    expect(await bare.dig('www', 'A', '+dnssec')).toMatch(AD);
    expect(await bare.dig('no', 'A', '+dnssec')).toMatch(AD);
  }
  expect(await lasting.dig('no', 'A')).toContain('status: NXDOMAIN');
  await stopServer();
  await new Promise((resolve) => setTimeout(resolve, 1_200));

  const old = await serving.dig('www', 'A', '+dnssec');
  expect(old).toContain('EDE: 3 (Stale Answer)');
  expect(old).toMatch(/^www\.\s+30\s+IN\s+A\s+192\.0\.2\.80$/m);
  expect(old).not.toMatch(AD);
  const denied = await serving.dig('no', 'A');
  expect(denied).toContain('status: NXDOMAIN');
  expect(denied).toContain('EDE: 19 (Stale NXDOMAIN Answer)');
  expect(await strict.dig('www', 'A')).toContain('status: SERVFAIL');

  // Between a. and www. there is nothing, as the denial of no. proved.
  const made = await lasting.dig('nothing.either', 'A', '+dnssec');
  expect(made).toContain('status: NXDOMAIN');
  expect(made).toMatch(AD);
});
