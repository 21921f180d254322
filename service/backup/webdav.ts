/**
 * Backups on a WebDAV server: Nextcloud, a NAS, Apache, lighttpd, another nymote (keep/serve.ts).
 *
 * A server that no authority vouches for is known by its key: `https://…/#sha256=<pin>`.
 *
 * @see RFC 4918 §9.1 (PROPFIND), §9.3 (MKCOL), §9.6 (DELETE), §9.7 (PUT)
 * @see RFC 7617: user and password
 */

import type { Runtime } from '#runtime';
import { BackupError } from './error.ts';
import { askOver, basic, elementTexts } from './http-target.ts';
import { type Credentials, isName, type Target } from './target.ts';

const MAX_LISTING = 4 * 1024 * 1024;

/** Makes the target of a collection; it is made when it is missing, its parent is not. */
export function webdavTarget(
  runtime: Pick<Runtime, 'http' | 'clock'>,
  text: string,
  credentials: Credentials | undefined,
): Target {
  const { base, pin } = collectionOf(text);
  const name = base.href;
  const ask = askOver(runtime, name, pin);
  const request = (method: string, url: URL, body?: Uint8Array, headers = {}): Request =>
    new Request(url, {
      method,
      headers: {
        ...(credentials === undefined ? {} : { authorization: basic(credentials) }),
        ...(body === undefined ? {} : { 'content-length': String(body.length) }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: new Uint8Array(body) }),
    });
  const put = (url: URL, bytes: Uint8Array, fine: readonly number[]) =>
    ask(request('PUT', url, bytes), fine);
  return {
    name,
    async list() {
      const asking = request('PROPFIND', base, undefined, { depth: '1' });
      const { status, body } = await ask(asking, [207, 404], MAX_LISTING);
      const xml = new TextDecoder().decode(body);
      return status === 404 ? [] : elementTexts(xml, 'href').map(lastPart).filter(isName);
    },
    async get(file, limit) {
      const { status, body } = await ask(request('GET', new URL(file, base)), [200, 404], limit);
      return status === 404 ? undefined : body;
    },
    async put(file, bytes) {
      const url = new URL(file, base);
      const { status } = await put(url, bytes, [200, 201, 204, 403, 404, 409]);
      if (status < 300) return;
      // RFC 4918 §9.7.1: 409 where the collection is missing; some servers say otherwise.
      await ask(request('MKCOL', base), [200, 201, 405]);
      await put(url, bytes, [200, 201, 204]);
    },
    async remove(file) {
      await ask(request('DELETE', new URL(file, base)), [200, 202, 204, 404]);
    },
  };
}

const PIN = /^#sha256=([A-Za-z0-9+/]{43}=)$/;

function collectionOf(text: string): { readonly base: URL; readonly pin: string | undefined } {
  if (!URL.canParse(text)) throw new BackupError('bad-setting', `'${text}' is no address`);
  const base = new URL(text);
  if (base.username !== '' || base.password !== '') {
    throw new BackupError('bad-setting', 'user and password belong into a file of credentials');
  }
  const pin = PIN.exec(base.hash)?.[1];
  if (base.hash !== '' && (pin === undefined || base.protocol !== 'https:')) {
    throw new BackupError('bad-setting', `'${base.hash}' is no pin: https://…/#sha256=<base64>`);
  }
  base.hash = '';
  if (!base.pathname.endsWith('/')) base.pathname += '/';
  return { base, pin };
}

function lastPart(href: string): string {
  const part = href.split('/').findLast((each) => each !== '') ?? '';
  try {
    return decodeURIComponent(part);
  } catch {
    return '';
  }
}
