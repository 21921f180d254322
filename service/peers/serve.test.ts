import { expect, test } from 'vitest';
import { RuntimeError, type RuntimeErrorCode } from '#runtime';
import { homeOf, twoHomes } from '../homes.fixture.ts';

test.each([
  { missing: { '::': 'unreachable' }, warnings: 0, why: 'a machine without IPv6' },
  { missing: { '0.0.0.0': 'unreachable' }, warnings: 0, why: 'a machine without IPv4' },
  { missing: { '0.0.0.0': 'unreachable', '::': 'unreachable' }, warnings: 2, why: 'neither' },
  { missing: { '::': 'address-in-use' }, warnings: 1, why: 'somebody else has it on IPv6' },
] as const)('the control port: $why', async ({ missing, warnings }) => {
  const { a } = twoHomes();
  const { http } = a.runtime;
  const codes: Partial<Record<string, RuntimeErrorCode>> = missing;
  const listen: typeof http.listen = async (local, handle) => {
    const code = 'port' in local && local.port === 51_821 ? codes[local.address] : undefined;
    if (code !== undefined) throw new RuntimeError(code, `no ${JSON.stringify(local)}`);
    return http.listen(local, handle);
  };
  const home = homeOf({ ...a.runtime, http: { ...http, listen } }, a.config);
  await using nymote = await home.start();
  const said = nymote.warnings.filter((warning) => warning.startsWith('Other devices cannot come'));
  expect(said).toHaveLength(warnings);
});
