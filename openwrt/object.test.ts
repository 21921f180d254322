import { describe, expect, test } from 'vitest';
import { type Backend, publishNymote } from './object.ts';
import { createUbus } from './ubus.ts';
import { createHandClock, createHub, settle } from './ubus-hub.fixture.ts';

const backend: Backend = {
  status: async () => ({
    state: 'up',
    sentence: 'Everything works.',
    version: '0.1.0',
    apex: 'alice.nymote',
    deviceName: 'router',
    uptimeSeconds: 61.7,
    peers: [{ name: 'laptop', state: 'up', why: 'asked for by phone' }],
    warnings: ['the clock is not set'],
  }),
  devices: async () => [
    { id: 'abc234', name: 'router', kind: 'signpost', addresses: ['fd00::1'], isSelf: true },
  ],
  log: async (limit) =>
    Array.from({ length: limit }, (_, index) => ({
      id: `c${index}`,
      at: 1_000 + index,
      device: 'router',
      message: 'add laptop',
    })),
  doctor: async () => [{ check: 'clock', state: 'ok', sentence: 'The clock is set.' }],
  signInLink: async ({ via, host = 'router.lan' }) => ({
    ok: true,
    value: { url: `http://${host}:8053/?code=1#${via}`, expiresInSeconds: 300 },
  }),
  addDevice: async ({ name, kind }) =>
    name === 'taken'
      ? { ok: false, reason: 'already-exists' }
      : { ok: true, value: { code: `${name}-${kind}`, url: 'http://x/', expiresInSeconds: 900 } },
  removeDevice: async ({ id }) => {
    if (id === 'fault') throw new Error('boom');
    if (id === 'self') return { ok: false, reason: 'denied' };
    if (id === 'gone') return { ok: false, reason: 'not-found' };
    if (id === 'early') return { ok: false, reason: 'not-ready' };
    if (id === 'full') return { ok: false, reason: 'storage-failed' };
    return { ok: true, value: undefined };
  },
};

async function ask(method: string, args = {}) {
  const hub = createHub();
  const runtime = { tcp: hub.tcp, clock: createHandClock(), log: () => undefined };
  await using server = createUbus(runtime);
  publishNymote(server, backend);
  await using client = createUbus(runtime);
  await settle();
  const pending = client.call('nymote', method, args);
  await settle();
  return pending;
}

describe('what the object answers', () => {
  test.each([
    {
      method: 'status',
      args: {},
      data: {
        state: 'up',
        sentence: 'Everything works.',
        version: '0.1.0',
        apex: 'alice.nymote',
        device: 'router',
        uptime: 61,
        peers: [{ name: 'laptop', state: 'up', why: 'asked for by phone' }],
        warnings: ['the clock is not set'],
      },
      why: 'names as ubus has them, whole seconds',
    },
    {
      method: 'list',
      args: { ubus_rpc_session: '0123' },
      data: {
        devices: [
          { id: 'abc234', name: 'router', kind: 'signpost', addresses: ['fd00::1'], self: true },
        ],
      },
      why: 'uhttpd adds the session to every call',
    },
    {
      method: 'doctor',
      args: {},
      data: { findings: [{ check: 'clock', state: 'ok', sentence: 'The clock is set.' }] },
      why: 'findings as they are',
    },
    {
      method: 'sign_in_link',
      args: { host: '192.168.1.1' },
      data: { url: 'http://192.168.1.1:8053/?code=1#ubus:root', expires: 300 },
      why: 'the link is for the name under which the browser knows us',
    },
    {
      method: 'device_add',
      args: { name: 'laptop', kind: 'plain' },
      data: { code: 'laptop-plain', url: 'http://x/', expires: 900 },
      why: 'a code, never a key',
    },
    { method: 'device_remove', args: { id: 'abc234' }, data: {}, why: 'nothing to say' },
  ])('$method: $why', async ({ method, args, data }) => {
    expect(await ask(method, args)).toEqual({ ok: true, data: [data] });
  });

  test.each([
    { args: {}, lines: 50, why: 'a page by default' },
    { args: { limit: 3 }, lines: 3, why: 'as asked' },
    { args: { limit: 100_000 }, lines: 500, why: 'never more than fits in a message' },
  ])('log $args: $why', async ({ args, lines }) => {
    const result = await ask('log', args);
    expect(result.ok && result.data[0]?.['entries']).toHaveLength(lines);
  });
});

describe('what the object refuses', () => {
  test.each([
    { method: 'log', args: { limit: 0 }, status: 'invalid-argument', why: 'no lines' },
    { method: 'log', args: { limit: '5' }, status: 'invalid-argument', why: 'a text' },
    {
      method: 'sign_in_link',
      args: { host: 'evil/@' },
      status: 'invalid-argument',
      why: 'a host with a path',
    },
    {
      method: 'device_add',
      args: { name: 'A b' },
      status: 'invalid-argument',
      why: 'no host name',
    },
    {
      method: 'device_add',
      args: { name: 'x', kind: 'signpost' },
      status: 'invalid-argument',
      why: 'signposts are not made here',
    },
    {
      method: 'device_add',
      args: { name: 'taken' },
      status: 'invalid-argument',
      why: 'already-exists',
    },
    { method: 'device_remove', args: {}, status: 'invalid-argument', why: 'no id' },
    { method: 'device_remove', args: { id: 'self' }, status: 'permission-denied', why: 'denied' },
    { method: 'device_remove', args: { id: 'gone' }, status: 'not-found', why: 'not-found' },
    { method: 'device_remove', args: { id: 'early' }, status: 'no-data', why: 'not-ready' },
    {
      method: 'device_remove',
      args: { id: 'full' },
      status: 'system-error',
      why: 'storage-failed',
    },
    { method: 'device_remove', args: { id: 'fault' }, status: 'unknown-error', why: 'it threw' },
    { method: 'reboot', args: {}, status: 'method-not-found', why: 'no such method' },
  ])('$method $args: $why', async ({ method, args, status }) => {
    expect(await ask(method, args)).toEqual({ ok: false, status });
  });
});
