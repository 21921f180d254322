/**
 * Backups in an S3-compatible store: `s3+https://host/bucket/prefix`, path style, Signature V4.
 *
 * The bucket has to be there. Not done: multipart uploads (a file of ours has some megabytes).
 *
 * @see Amazon S3 API: PutObject, GetObject, DeleteObject, ListObjectsV2
 */

import { AwsClient } from 'aws4fetch';
import type { Runtime } from '#runtime';
import { BackupError } from './error.ts';
import { askOver, elementTexts } from './http-target.ts';
import { type Credentials, isName, type Target } from './target.ts';

const MAX_LISTING = 4 * 1024 * 1024;
/** A thousand names each. */
const MAX_PAGES = 100;

/** Makes the target of a prefix in a bucket. */
export function s3Target(
  runtime: Pick<Runtime, 'http' | 'clock'>,
  text: string,
  { user, secret, region = 'us-east-1' }: Credentials,
): Target {
  const { bucket, prefix } = placeOf(text);
  const name = `${bucket.href}/${prefix}`;
  const ask = askOver(runtime, name);
  const client = new AwsClient({
    ...{ accessKeyId: user, secretAccessKey: secret, service: 's3', region },
  });
  const request = async (method: string, url: URL, body?: Uint8Array): Promise<Request> => {
    const signed = await client.sign(url.href, {
      method,
      ...(body === undefined ? {} : { body: new Uint8Array(body) }),
    });
    if (body !== undefined) signed.headers.set('content-length', String(body.length));
    return signed;
  };
  const urlOf = (file: string): URL => new URL(`${bucket.href}/${prefix}${file}`);
  return {
    name,
    async list() {
      const names: string[] = [];
      let token: string | undefined;
      for (let page = 0; page < MAX_PAGES; page++) {
        const url = new URL(bucket);
        url.searchParams.set('list-type', '2');
        url.searchParams.set('prefix', prefix);
        if (token !== undefined) url.searchParams.set('continuation-token', token);
        const { body } = await ask(await request('GET', url), [200], MAX_LISTING);
        const xml = new TextDecoder().decode(body);
        const keys = elementTexts(xml, 'Key').filter((key) => key.startsWith(prefix));
        names.push(...keys.map((key) => key.slice(prefix.length)));
        [token] = elementTexts(xml, 'NextContinuationToken');
        if (token === undefined) break;
      }
      return names.filter(isName);
    },
    async get(file, limit) {
      const { status, body } = await ask(await request('GET', urlOf(file)), [200, 404], limit);
      return status === 404 ? undefined : body;
    },
    async put(file, bytes) {
      await ask(await request('PUT', urlOf(file), bytes), [200, 201, 204]);
    },
    async remove(file) {
      await ask(await request('DELETE', urlOf(file)), [200, 204, 404]);
    },
  };
}

function placeOf(text: string): { readonly bucket: URL; readonly prefix: string } {
  const address = text.replace(/^s3\+/, '');
  if (!URL.canParse(address)) throw new BackupError('bad-setting', `'${text}' is no address`);
  const url = new URL(address);
  const [bucket = '', ...rest] = url.pathname.split('/').filter((part) => part !== '');
  if (bucket === '' || url.username !== '') {
    throw new BackupError('bad-setting', `'${text}' names no bucket: s3+https://host/bucket/…`);
  }
  const prefix = rest.map((part) => `${part}/`).join('');
  return { bucket: new URL(`${url.origin}/${bucket}`), prefix };
}
