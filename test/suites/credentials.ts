/**
 * Certificates for tests, made by openssl (Debian package openssl).
 */

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Credentials } from '#runtime';
import { realRuntime } from './real.ts';

/** A self-signed certificate for `name` and 127.0.0.1, good for so many days (negative: expired). */
export async function makeCredentials(name: string, days = 1): Promise<Credentials> {
  const directory = await mkdtemp(join(tmpdir(), 'nymote-certificate-'));
  try {
    const [key, certificate] = [join(directory, 'key'), join(directory, 'certificate')];
    const { exitCode, stderr } = await realRuntime().exec('openssl', [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
      ...['-keyout', key, '-out', certificate, '-subj', `/CN=${name}`, '-days', String(days)],
      ...['-addext', `subjectAltName=DNS:${name},IP:127.0.0.1`],
    ]);
    if (exitCode !== 0) throw new Error(`apt-get install openssl? It says: ${stderr}`);
    return {
      certificate: await readFile(certificate, 'utf8'),
      key: await readFile(key, 'utf8'),
    };
  } finally {
    await rm(directory, { recursive: true });
  }
}
