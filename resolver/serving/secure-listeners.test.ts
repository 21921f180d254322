import { expect, test } from 'vitest';
import { type Credentials, type Endpoint, RuntimeError } from '#runtime';
import { fakeRuntime } from '#runtime/fake';
import { bare, type Handle, respond } from './response.ts';
import { startSecureListeners } from './secure-listeners.ts';
import { MISSING_MILLISECONDS } from './server.ts';

const DOT: Endpoint = { address: '192.0.2.2', port: 853 };
const DOH: Endpoint = { address: '192.0.2.2', port: 443 };
const HERE: Endpoint = { address: '192.0.2.1', port: 853 };

const handle: Handle = async (query) => respond(query, bare(0));

const credentialsOf = (name: string): Credentials => ({
  certificate: `-----BEGIN ${name}-----`,
  key: '-----BEGIN KEY-----',
});

/** A machine that has 192.0.2.2 once `come` was called. */
function stand() {
  const runtime = fakeRuntime({ addresses: [HERE.address, DOT.address] });
  const logged: string[] = [];
  const used: Credentials[] = [];
  let isThere = false;
  let attempts = 0;
  const look = ({ address }: Endpoint, credentials: Credentials): void => {
    attempts++;
    if (address === DOT.address && !isThere) {
      throw new RuntimeError('unreachable', 'cannot assign requested address');
    }
    used.push(credentials);
  };
  const { tls, http } = runtime;
  const seams = {
    ...runtime,
    log: (_: string, event: string) => void logged.push(event),
    tls: {
      ...tls,
      async listen(...[local, options, accept]: Parameters<typeof tls.listen>) {
        if ('address' in local) look(local, options.credentials);
        return tls.listen(local, options, accept);
      },
    },
    http: {
      ...http,
      async listenSecurely(
        ...[local, credentials, ...rest]: Parameters<typeof http.listenSecurely>
      ) {
        look(local, credentials);
        return http.listenSecurely(local, credentials, ...rest);
      },
    },
  };
  const start = (credentials = credentialsOf('ONE')) =>
    startSecureListeners(seams, { dot: [HERE, DOT], doh: [DOH], credentials }, handle);
  const come = () => {
    isThere = true;
  };
  return { ...runtime, logged, used, start, come, attempts: () => attempts };
}

test('addresses that are not there are waited for, and served with the certificate of the time', async () => {
  const { clock, logged, used, start, come } = stand();
  await using listeners = await start();
  expect([listeners.dot, listeners.doh]).toEqual([[HERE], []]);
  listeners.replaceCredentials(credentialsOf('TWO'));
  await clock.advance(4 * MISSING_MILLISECONDS);
  come();
  await clock.advance(MISSING_MILLISECONDS + 1);
  expect([listeners.dot, listeners.doh]).toEqual([[HERE, DOT], [DOH]]);
  expect(used).toEqual(['ONE', 'TWO', 'TWO'].map(credentialsOf));
  expect(logged).toEqual([
    ...['listen-address-missing', 'listen-address-missing', 'listening', 'listening'],
  ]);
});

test('what came late is closed with the others, and nothing is waited for any more', async () => {
  const { clock, start, come, attempts, tcp } = stand();
  const early = await start();
  await early[Symbol.asyncDispose]();
  const before = attempts();
  await clock.advance(10 * MISSING_MILLISECONDS);
  expect(attempts()).toBe(before);
  const late = await start();
  come();
  await clock.advance(MISSING_MILLISECONDS + 1);
  await late[Symbol.asyncDispose]();
  await using listener = await tcp.listen(DOT, () => undefined);
  expect(listener.local).toEqual(DOT);
});

test('credentials that are none are refused, though an address is missing', async () => {
  const { start } = stand();
  await expect(start({ certificate: 'x', key: 'y' })).rejects.toMatchObject({ code: 'bad-key' });
});
