/**
 * Certificates for tests, made by openssl (Debian package openssl).
 */

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Credentials } from '#runtime';
import { realRuntime } from './real.ts';

/** Lets openssl believe in another day (Debian package libfaketime). */
const FAKETIME = '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1';

/** A self-signed certificate for `name` and 127.0.0.1, good for a day; made so many days ago. */
export async function makeCredentials(name: string, daysAgo = 0): Promise<Credentials> {
  const directory = await mkdtemp(join(tmpdir(), 'nymote-certificate-'));
  try {
    const [key, certificate] = [join(directory, 'key'), join(directory, 'certificate')];
    const past = daysAgo === 0 ? {} : { env: { LD_PRELOAD: FAKETIME, FAKETIME: `-${daysAgo}d` } };
    const args = [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
      ...['-keyout', key, '-out', certificate, '-subj', `/CN=${name}`, '-days', '1'],
      ...['-addext', `subjectAltName=DNS:${name},IP:127.0.0.1`],
    ];
    const options = { ...past, timeoutMs: 180_000 };
    const { exitCode, stderr } = await realRuntime().exec('openssl', args, options);
    if (exitCode !== 0) throw new Error(`apt-get install openssl? It says: ${stderr}`);
    return {
      certificate: await readFile(certificate, 'utf8'),
      key: await readFile(key, 'utf8'),
    };
  } finally {
    await rm(directory, { recursive: true });
  }
}
