/**
 * Backups on a WebDAV server: Nextcloud, a NAS, Apache, lighttpd.
 *
 * @see RFC 4918 §9.1 (PROPFIND), §9.3 (MKCOL), §9.6 (DELETE), §9.7 (PUT)
 * @see RFC 7617: user and password
 */

import type { Runtime } from '#runtime';
import { BackupError } from './error.ts';
import { askOver, basic, elementTexts, readBody } from './http-target.ts';
import { type Credentials, isName, type Target } from './target.ts';

const MAX_LISTING = 4 * 1024 * 1024;

/** Makes the target of a collection; it is made when it is missing, its parent is not. */
export function webdavTarget(
  runtime: Pick<Runtime, 'http'>,
  text: string,
  credentials: Credentials | undefined,
): Target {
  const base = collectionOf(text);
  const name = base.href;
  const ask = askOver(runtime, name);
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
  const put = (url: URL, bytes: Uint8Array, fine: readonly number[]): Promise<Response> =>
    ask(request('PUT', url, bytes), fine);
  return {
    name,
    async list() {
      const response = await ask(request('PROPFIND', base, undefined, { depth: '1' }), [207, 404]);
      const xml = new TextDecoder().decode(await readBody(name, response, MAX_LISTING));
      return response.status === 404 ? [] : elementTexts(xml, 'href').map(lastPart).filter(isName);
    },
    async get(file, limit) {
      const response = await ask(request('GET', new URL(file, base)), [200, 404]);
      const body = await readBody(name, response, limit);
      return response.status === 404 ? undefined : body;
    },
    async put(file, bytes) {
      const url = new URL(file, base);
      const first = await put(url, bytes, [200, 201, 204, 403, 404, 409]);
      if (first.ok) return;
      // RFC 4918 §9.7.1: 409 where the collection is missing; some servers say otherwise.
      await ask(request('MKCOL', base), [200, 201, 405]);
      await put(url, bytes, [200, 201, 204]);
    },
    async remove(file) {
      await ask(request('DELETE', new URL(file, base)), [200, 202, 204, 404]);
    },
  };
}

function collectionOf(text: string): URL {
  if (!URL.canParse(text)) throw new BackupError('bad-setting', `'${text}' is no address`);
  const url = new URL(text.endsWith('/') ? text : `${text}/`);
  if (url.username !== '' || url.password !== '') {
    throw new BackupError('bad-setting', 'user and password belong into a file of credentials');
  }
  return url;
}

function lastPart(href: string): string {
  const part = href.split('/').findLast((each) => each !== '') ?? '';
  try {
    return decodeURIComponent(part);
  } catch {
    return '';
  }
}
