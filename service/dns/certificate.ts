/**
 * The certificate that this device makes for itself: X.509, self-signed, ECDSA P-256.
 *
 * The structures are @peculiar/asn1-x509's, the signature our Crypto's. It vouches for nobody else
 * (no CA): who trusts it trusts this key for these names and addresses.
 *
 * @see RFC 5280 §4, RFC 5480 §2 (keys), RFC 5758 §3.2 (signatures), RFC 7468 (PEM)
 */

import { AsnConvert, OctetString } from '@peculiar/asn1-schema';
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AttributeValue,
  BasicConstraints,
  Certificate,
  ExtendedKeyUsage,
  Extension,
  Extensions,
  GeneralName,
  id_ce_basicConstraints,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_subjectAltName,
  id_kp_serverAuth,
  KeyUsage,
  KeyUsageFlags,
  Name,
  RelativeDistinguishedName,
  SubjectAlternativeName,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
} from '@peculiar/asn1-x509';
import type { Crypto, Random, Signer } from '#runtime';
import { decodeBase64, encodeBase64 } from '../base64.ts';

/** For what a certificate holds. */
export type Subject = { readonly names: readonly string[]; readonly addresses: readonly string[] };

/** What a certificate says. */
export type CertificateFacts = {
  /** Seconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** Base64 of the SHA-256 of the key: what clients can pin (RFC 7858 §4.2). */
  readonly pin: string;
  /** Tells whether it holds for exactly these, in this order. */
  isFor(subject: Subject): boolean;
};

export const LIFETIME_SECONDS = 90 * 86_400;
/** Clocks of others go wrong, too. */
const BACKDATED_SECONDS = 3_600;
const SERIAL_SIZE = 16;

/** RFC 5480 §2.1.1 and §2.1.1.1, RFC 5758 §3.2. */
const EC_PUBLIC_KEY = '1.2.840.10045.2.1';
const PRIME256V1 = Uint8Array.of(0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07);
const ECDSA_SHA256 = '1.2.840.10045.4.3.2';
const COMMON_NAME = '2.5.4.3';
/** RFC 5280 appendix A.1, ub-common-name. */
const MAX_COMMON_NAME = 64;

/** Makes a certificate as PEM, good from now on. */
export function makeCertificate(
  random: Random,
  signer: Signer,
  subject: Subject,
  now: number,
): string {
  const from = Math.floor(now) - BACKDATED_SECONDS;
  const holder = nameOf(subject);
  const serial = random(SERIAL_SIZE);
  // Positive, and of full length.
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  const algorithm = new AlgorithmIdentifier({ algorithm: ECDSA_SHA256 });
  const tbsCertificate = new TBSCertificate({
    version: 2,
    serialNumber: bufferOf(serial),
    signature: algorithm,
    issuer: holder,
    validity: new Validity({
      notBefore: new Date(from * 1_000),
      notAfter: new Date((from + LIFETIME_SECONDS) * 1_000),
    }),
    subject: holder,
    subjectPublicKeyInfo: keyInfoOf(signer.publicKey),
    extensions: extensionsFor(subject),
  });
  const signature = signer.sign(new Uint8Array(AsnConvert.serialize(tbsCertificate)));
  const certificate = new Certificate({
    tbsCertificate,
    signatureAlgorithm: algorithm,
    signatureValue: bufferOf(ecdsaDer(signature)),
  });
  return printPem('CERTIFICATE', new Uint8Array(AsnConvert.serialize(certificate)));
}

function nameOf({ names: [name = 'nymote'] }: Subject): Name {
  const value = new AttributeValue({ utf8String: name.slice(0, MAX_COMMON_NAME) });
  return new Name([
    new RelativeDistinguishedName([new AttributeTypeAndValue({ type: COMMON_NAME, value })]),
  ]);
}

function keyInfoOf(publicKey: Uint8Array): SubjectPublicKeyInfo {
  return new SubjectPublicKeyInfo({
    algorithm: new AlgorithmIdentifier({
      algorithm: EC_PUBLIC_KEY,
      parameters: bufferOf(PRIME256V1),
    }),
    // 4: not compressed (RFC 5480 §2.2).
    subjectPublicKey: bufferOf(Uint8Array.of(4, ...publicKey)),
  });
}

function extensionsFor(subject: Subject): Extensions {
  const make = (extnID: string, critical: boolean, value: ArrayBuffer) =>
    new Extension({ extnID, critical, extnValue: new OctetString(value) });
  const usage = new KeyUsage(KeyUsageFlags.digitalSignature);
  const purposes = new ExtendedKeyUsage([id_kp_serverAuth]);
  return new Extensions([
    make(id_ce_basicConstraints, true, AsnConvert.serialize(new BasicConstraints({ cA: false }))),
    make(id_ce_keyUsage, true, AsnConvert.serialize(usage)),
    make(id_ce_extKeyUsage, false, AsnConvert.serialize(purposes)),
    make(id_ce_subjectAltName, false, alternativesOf(subject)),
  ]);
}

function alternativesOf({ names, addresses }: Subject): ArrayBuffer {
  const alternatives = [
    ...names.map((dNSName) => new GeneralName({ dNSName })),
    ...addresses.map((iPAddress) => new GeneralName({ iPAddress })),
  ];
  return AsnConvert.serialize(new SubjectAlternativeName(alternatives));
}

/** What the first certificate of a PEM file says; undefined when there is none that can be read. */
export function readCertificate(
  crypto: Pick<Crypto, 'hash'>,
  pem: string,
): CertificateFacts | undefined {
  const der = readPem('CERTIFICATE', pem);
  if (der === undefined) return undefined;
  try {
    const { tbsCertificate } = AsnConvert.parse(der, Certificate);
    const { validity, subjectPublicKeyInfo: key, extensions = [] } = tbsCertificate;
    const alternatives = extensions.find(({ extnID }) => extnID === id_ce_subjectAltName);
    const held = new Uint8Array(alternatives?.extnValue.buffer ?? new ArrayBuffer(0));
    const notBefore = validity.notBefore.getTime().getTime() / 1_000;
    const notAfter = validity.notAfter.getTime().getTime() / 1_000;
    return {
      notBefore,
      notAfter,
      pin: encodeBase64(crypto.hash('sha256', new Uint8Array(AsnConvert.serialize(key)))),
      isFor: (subject) => isEqual(held, new Uint8Array(alternativesOf(subject))),
    };
  } catch {
    // The library throws its own errors for everything that is no certificate.
    return undefined;
  }
}

function isEqual(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((octet, index) => other[index] === octet);
}

/** The pin of a P-256 key. */
export function pinOf(crypto: Pick<Crypto, 'hash'>, publicKey: Uint8Array): string {
  const octets = new Uint8Array(AsnConvert.serialize(keyInfoOf(publicKey)));
  return encodeBase64(crypto.hash('sha256', octets));
}

/** Octets as PEM. */
export function printPem(label: string, octets: Uint8Array): string {
  const lines = encodeBase64(octets).match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}

/** The octets of the first block with this label. */
export function readPem(label: string, pem: string): Uint8Array | undefined {
  const [, rest] = pem.split(`-----BEGIN ${label}-----`, 2);
  const [body, end] = rest?.split(`-----END ${label}-----`, 2) ?? [];
  if (body === undefined || end === undefined) return undefined;
  const text = body.replace(/\s/g, '');
  return /^[A-Za-z0-9+/]+={0,2}$/.test(text) && text.length % 4 === 0
    ? decodeBase64(text)
    : undefined;
}

/** r‖s as X.509 has it: a sequence of two integers (RFC 3279 §2.2.3). */
function ecdsaDer(signature: Uint8Array): Uint8Array {
  const half = signature.length / 2;
  const integers = [signature.subarray(0, half), signature.subarray(half)].flatMap((number) => {
    const first = number.findIndex((octet) => octet !== 0);
    const digits = number.subarray(first === -1 ? half - 1 : first);
    // A set top bit would make it negative.
    const octets = (digits[0] ?? 0) >= 0x80 ? [0, ...digits] : [...digits];
    return [0x02, octets.length, ...octets];
  });
  return Uint8Array.of(0x30, integers.length, ...integers);
}

/** A buffer of its own. */
function bufferOf(octets: Uint8Array): ArrayBuffer {
  return octets.slice().buffer;
}
