/**
 * The certificate for DoT and DoH: the files that were named, or one that this device makes for
 * itself and renews.
 *
 *     <data>/tls-key.pem           the key, 0600; stays the same, so that clients can pin it
 *     <data>/tls-certificate.pem   90 days, made anew after two thirds of them, and whenever names
 *                                  or addresses changed or the clock turned out to be wrong; kept
 *                                  as long as there is no date
 *
 * Files that were named are read again now and then, for whoever renews them from outside; ones that
 * are of no use any more change nothing and are complained about.
 */

import { type Credentials, type Runtime, RuntimeError, type Signer } from '#runtime';
import type { Config } from '../config.ts';
import {
  type CertificateFacts,
  makeCertificate,
  pinOf,
  printPem,
  readCertificate,
  readPem,
  type Subject,
} from './certificate.ts';

const SECRET_MODE = 0o600;
/** Days before the end at which a certificate that somebody else renews is mentioned. */
const SOON_SECONDS = 7 * 86_400;

export type Held = {
  readonly credentials: Credentials;
  readonly facts: CertificateFacts;
  /** Whether this device made it. */
  readonly isOwn: boolean;
  /** Where it is from, for people. */
  readonly path: string;
};

type Seams = Pick<Runtime, 'files' | 'crypto' | 'random' | 'clock'>;

/** Reads or makes what is to be used now. Fails with RuntimeError, in words for people. */
export async function holdCredentials(
  runtime: Seams,
  config: Pick<Config, 'data' | 'tlsCertificate' | 'tlsKey'>,
  subject: Subject,
): Promise<Held> {
  const { tlsCertificate, tlsKey, data } = config;
  if (tlsCertificate === '' && tlsKey === '') return holdOwn(runtime, data, subject);
  if (tlsCertificate === '' || tlsKey === '') {
    const missing = tlsKey === '' ? '--tls-key' : '--tls-certificate';
    throw new RuntimeError('bad-key', `a certificate and its key belong together: add ${missing}`);
  }
  const certificate = await readText(runtime, tlsCertificate);
  const key = await readText(runtime, tlsKey);
  const facts = readCertificate(runtime.crypto, certificate);
  if (facts === undefined) {
    throw new RuntimeError('bad-key', `${tlsCertificate} holds no certificate (PEM)`);
  }
  return { credentials: { certificate, key }, facts, isOwn: false, path: tlsCertificate };
}

/** What is wrong with it now, as a sentence. */
export function describeTrouble(
  { facts, isOwn, path }: Held,
  clock: Pick<Runtime['clock'], 'now' | 'isSet'>,
): string | undefined {
  // Our own is renewed; without a date nothing can be said about another.
  if (isOwn || !clock.isSet()) return undefined;
  const now = clock.now();
  const date = (seconds: number) => new Date(seconds * 1_000).toISOString().slice(0, 10);
  if (now >= facts.notAfter) {
    return `The certificate in ${path} expired on ${date(facts.notAfter)}; clients refuse DoT and DoH until there is a new one.`;
  }
  if (now < facts.notBefore) {
    return `The certificate in ${path} is good only from ${date(facts.notBefore)}; clients refuse DoT and DoH until then.`;
  }
  if (now >= facts.notAfter - SOON_SECONDS) {
    return `The certificate in ${path} expires on ${date(facts.notAfter)}.`;
  }
  return undefined;
}

async function holdOwn(runtime: Seams, data: string, subject: Subject): Promise<Held> {
  const { files, crypto, random, clock } = runtime;
  const { signer, key } = await openKey(runtime, `${data}/tls-key.pem`);
  const path = `${data}/tls-certificate.pem`;
  const bytes = await files.read(path);
  const kept = bytes === undefined ? '' : new TextDecoder().decode(bytes);
  const known = readCertificate(crypto, kept);
  if (known !== undefined && isGood(known, pinOf(crypto, signer.publicKey), subject, clock)) {
    return { credentials: { certificate: kept, key }, facts: known, isOwn: true, path };
  }
  const certificate = makeCertificate(random, signer, subject, clock.now());
  const facts = readCertificate(crypto, certificate);
  if (facts === undefined) throw new Error('unreachable: our own certificate can be read');
  await files.replace(path, new TextEncoder().encode(certificate));
  return { credentials: { certificate, key }, facts, isOwn: true, path };
}

function isGood(
  facts: CertificateFacts,
  pin: string,
  subject: Subject,
  clock: Pick<Runtime['clock'], 'now' | 'isSet'>,
): boolean {
  if (facts.pin !== pin || !facts.isFor(subject)) return false;
  // Without a date a new one would be good for nobody who has one.
  if (!clock.isSet()) return true;
  const { notBefore, notAfter } = facts;
  const renewal = notBefore + ((notAfter - notBefore) * 2) / 3;
  const now = clock.now();
  return now >= notBefore && now < renewal;
}

/** The key, made when there is none. */
async function openKey(
  { files, crypto }: Seams,
  path: string,
): Promise<{ readonly signer: Signer; readonly key: string }> {
  const bytes = await files.read(path);
  if (bytes === undefined) {
    const { privateKey } = await crypto.generateSigningKey('ecdsa-p256');
    const key = printPem('PRIVATE KEY', privateKey);
    await files.replace(path, new TextEncoder().encode(key), SECRET_MODE);
    return { signer: crypto.signer('ecdsa-p256', privateKey), key };
  }
  const key = new TextDecoder().decode(bytes);
  try {
    return { signer: crypto.signer('ecdsa-p256', readPem('PRIVATE KEY', key) ?? bytes), key };
  } catch (error) {
    if (!(error instanceof RuntimeError)) throw error;
    throw new RuntimeError(
      'bad-key',
      `${path} is damaged; put a backup of it back, or move it away: a new key is made, and clients that pin the old one have to learn it`,
      error,
    );
  }
}

async function readText({ files }: Seams, path: string): Promise<string> {
  const bytes = await files.read(path);
  if (bytes === undefined) throw new RuntimeError('not-found', `there is no ${path}`);
  return new TextDecoder().decode(bytes);
}
