/**
 * HTTP over the network in memory: the handler gets the very Request, the caller the very Response.
 */

import {
  assertReachable,
  claim,
  claimPath,
  findBound,
  findHost,
  type Host,
  sourceFor,
  type Wire,
} from './fake-hosts.ts';
import { checkCredentials, secured } from './fake-tls.ts';
import { type Endpoint, type Http, type Path, RuntimeError } from './index.ts';

type Handle = (request: Request, from: Endpoint | Path) => Response | Promise<Response>;

const FETCH_TIMEOUT_MS = 30_000;

/** The HTTP of one host. */
export function fakeHttp(wire: Wire, host: Host): Http {
  const listen: Http['listen'] = async (local, handle) => {
    const { endpoint, release } =
      'path' in local ? claimPath(host, local, handle) : claim(host, 'tcp', local, handle);
    return {
      local: endpoint,
      async [Symbol.asyncDispose]() {
        release();
      },
    };
  };
  return {
    listen,
    async connect(remote, { timeoutMs = FETCH_TIMEOUT_MS }) {
      await reach(wire, host, remote, timeoutMs);
      let isOpen = true;
      return {
        get isOpen() {
          return isOpen;
        },
        async fetch(request) {
          const handle = await reach(wire, host, remote, timeoutMs);
          return handle(request, remote);
        },
        async [Symbol.asyncDispose]() {
          isOpen = false;
        },
      };
    },
    async listenSecurely(local, credentials, handle) {
      checkCredentials(credentials);
      return secured(await listen(local, handle));
    },
    fetch(request, options = {}) {
      const { path, timeoutMs = FETCH_TIMEOUT_MS } = options;
      return path === undefined
        ? fetchFrom(wire, host, request, timeoutMs)
        : fetchOnPath(host, request, { path });
    },
  };
}

async function fetchOnPath(host: Host, request: Request, local: Path): Promise<Response> {
  const handle = host.bound.get(`path ${local.path}`);
  if (typeof handle !== 'function') throw new RuntimeError('not-found', `no ${local.path}`);
  return (handle as Handle)(request, local);
}

async function fetchFrom(
  wire: Wire,
  host: Host,
  request: Request,
  timeoutMs: number,
): Promise<Response> {
  const url = new URL(request.url);
  const address = url.hostname.replace(/^\[|\]$/g, '');
  const remote = { address, port: url.port === '' ? 80 : Number(url.port) };
  const handle = await reach(wire, host, remote, timeoutMs);
  return handle(request, remote);
}

/** Who serves there, after as long as the way takes. */
async function reach(wire: Wire, host: Host, remote: Endpoint, timeoutMs: number): Promise<Handle> {
  const { address } = remote;
  const any = address.includes(':') ? '::' : '0.0.0.0';
  const local = { address: sourceFor(host, any, address), port: host.nextPort };
  host.nextPort += 1;
  await assertReachable(wire, host, local, remote, timeoutMs);
  const handle = findBound(findHost(wire, host, address), 'tcp', remote);
  if (typeof handle !== 'function') throw new RuntimeError('refused', 'nobody serves there');
  return (request) => (handle as Handle)(request, local);
}
