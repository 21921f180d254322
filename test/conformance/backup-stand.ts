/**
 * Places for backups, with other people's programs or against an S3 of the test's own that checks
 * signatures by itself; and the stock programs that read backups.
 */

import { spawn } from 'node:child_process';
import { createHash, createHmac } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { join } from 'node:path';
import type { Credentials } from '#runtime';
import { takePort } from '../suites/ports.ts';
import { type Ended, runProgram, untilOpen } from './service-stand.ts';

/** A server, and what it is asked with. */
export type Server = AsyncDisposable & { readonly url: string; readonly credentials: string };

const USER = 'alice';
const SECRET = 'correct horse';

/** Debian's lighttpd with mod_webdav, behind a password. */
export async function startWebdav(room: string): Promise<Server> {
  const port = await takePort();
  const root = join(room, 'webdav');
  await mkdir(join(root, 'dav'), { recursive: true });
  await writeFile(join(room, 'users'), `${USER}:${SECRET}\n`);
  await writeFile(
    join(room, 'lighttpd.conf'),
    `server.modules = ("mod_auth", "mod_authn_file", "mod_webdav")
server.document-root = "${root}"
server.bind = "127.0.0.1"
server.port = ${port}
server.errorlog = "${join(room, 'lighttpd.log')}"
auth.backend = "plain"
auth.backend.plain.userfile = "${join(room, 'users')}"
$HTTP["url"] =~ "^/" {
  webdav.activate = "enable"
  auth.require = ( "" => ("method" => "basic", "realm" => "dav", "require" => "valid-user") )
}
`,
  );
  const program = 'lighttpd';
  const child = spawn(program, ['-D', '-f', join(room, 'lighttpd.conf')], { stdio: 'ignore' });
  const failed = new Promise<never>((_, reject) => {
    child.once('error', () =>
      reject(new Error('lighttpd is missing: install the Debian package lighttpd-mod-webdav')),
    );
  });
  failed.catch(() => undefined);
  await Promise.race([untilOpen(port), failed]);
  return {
    url: `http://127.0.0.1:${port}/dav/nymote/`,
    credentials: await saveCredentials(room, 'webdav.json', { user: USER, secret: SECRET }),
    async [Symbol.asyncDispose]() {
      const exited = new Promise((resolve) => child.once('exit', resolve));
      if (child.exitCode !== null || !child.kill('SIGTERM')) return;
      await exited;
    },
  };
}

export async function saveCredentials(
  room: string,
  name: string,
  credentials: Readonly<Record<string, string>>,
): Promise<string> {
  const path = join(room, name);
  await writeFile(path, JSON.stringify(credentials), { mode: 0o600 });
  return path;
}

/** Over TLS. Keeps objects in memory, lists two at a time, for whoever signs as Amazon says. */
export async function startS3(room: string, { certificate, key }: Credentials): Promise<Server> {
  const objects = new Map<string, Buffer>();
  const server = createServer({ cert: certificate, key }, (request, response) => {
    void answer(request, response, objects);
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('unreachable: no port');
  return {
    url: `s3+https://127.0.0.1:${address.port}/bucket/a/b`,
    credentials: await saveCredentials(room, 's3.json', { user: USER, secret: SECRET }),
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  objects: Map<string, Buffer>,
): Promise<void> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  const body = Buffer.concat(parts);
  const url = new URL(request.url ?? '', 'http://s3');
  if (!isSigned(request, url, body)) {
    response.writeHead(403).end();
  } else if (request.method === 'GET' && url.searchParams.has('list-type')) {
    response.end(
      listing(
        url,
        [...objects.keys()].sort((a, b) => (a < b ? -1 : 1)),
      ),
    );
  } else if (request.method === 'PUT') {
    // As the real ones do.
    const isSized = request.headers['content-length'] !== undefined;
    if (isSized) objects.set(url.pathname, body);
    response.writeHead(isSized ? 200 : 411).end();
  } else if (request.method === 'DELETE') {
    objects.delete(url.pathname);
    response.writeHead(204).end();
  } else {
    const object = objects.get(url.pathname);
    response.writeHead(object === undefined ? 404 : 200).end(object);
  }
}

function listing(url: URL, paths: readonly string[]): string {
  const prefix = `/bucket/${url.searchParams.get('prefix')}`;
  const start = Number(url.searchParams.get('continuation-token') ?? 0);
  const found = paths.filter((path) => path.startsWith(prefix));
  const page = found.slice(start, start + 2);
  const keys = page.map(
    (path) => `<Contents><Key>${path.slice('/bucket/'.length)}</Key></Contents>`,
  );
  const next =
    start + 2 < found.length ? `<NextContinuationToken>${start + 2}</NextContinuationToken>` : '';
  return `<?xml version="1.0"?><ListBucketResult xmlns="http://s3">${keys.join('')}${next}</ListBucketResult>`;
}

/** AWS Signature Version 4, "Authenticating Requests: Using the Authorization Header". */
function isSigned(request: IncomingMessage, url: URL, body: Buffer): boolean {
  const header = request.headers.authorization ?? '';
  const [, scope = '', names = '', signature = ''] =
    /^AWS4-HMAC-SHA256 Credential=alice\/([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]+)$/.exec(
      header,
    ) ?? [];
  const said = String(request.headers['x-amz-content-sha256'] ?? '');
  const isBody = said === 'UNSIGNED-PAYLOAD' || said === sha256(body);
  const query = [...url.searchParams]
    .map((pair) => pair.map(encodeURIComponent).join('='))
    .sort((a, b) => (a < b ? -1 : 1))
    .join('&');
  const headers = names.split(';').map((name) => `${name}:${String(request.headers[name])}\n`);
  const canonical = [request.method, url.pathname, query, headers.join(''), names, said].join('\n');
  const date = String(request.headers['x-amz-date']);
  const text = ['AWS4-HMAC-SHA256', date, scope, sha256(Buffer.from(canonical))].join('\n');
  const key = scope
    .split('/')
    .reduce<string | Buffer>((secret, part) => hmac(secret, part), `AWS4${SECRET}`);
  return isBody && hmac(key, text).toString('hex') === signature;
}

const sha256 = (data: Buffer): string => createHash('sha256').update(data).digest('hex');
const hmac = (key: string | Buffer, text: string): Buffer =>
  createHmac('sha256', key).update(text).digest();

/** Runs git without anybody's settings. */
export async function git(...args: readonly string[]): Promise<string> {
  const env = { GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_SYSTEM: '/dev/null', LC_ALL: 'C' };
  return succeed(await runProgram('git', args, { env }), `git ${args.join(' ')}`);
}

/** What a program printed; one that failed fails the test with its words. */
export function succeed({ exitCode, stdout, stderr }: Ended, what: string): string {
  if (exitCode !== 0) throw new Error(`${what}: exit ${exitCode}: ${stdout}${stderr}`);
  return stdout;
}
