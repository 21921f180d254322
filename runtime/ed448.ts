/**
 * Verifying Ed448 signatures by plain arithmetic, for a runtime whose crypto library has no Ed448.
 *
 * Bun's BoringSSL has none, and a resolver that took such zones for bogus would be wrong. It takes
 * some 2 ms, twelve times OpenSSL's; hardly a zone is signed so. Everything here is public:
 * the arithmetic need not be constant in time, and must never sign.
 *
 * @see RFC 8032 §5.2
 */

import { createHash } from 'node:crypto';

/** x and y are X/Z and Y/Z (RFC 8032 §5.2.4). */
type Point = { readonly X: bigint; readonly Y: bigint; readonly Z: bigint };

const KEY_BYTES = 57;

const P = 2n ** 448n - 2n ** 224n - 1n;
const D = P - 39081n;
const ORDER = 2n ** 446n - 13818066809895115352007386748515426880336692474882178609894547503885n;

const NEUTRAL: Point = { X: 0n, Y: 1n, Z: 1n };
const BASE: Point = {
  X: 224580040295924300187604334099896036246789641632564134246125461686950415467406032909029192869357953282578032075146446173674602635247710n,
  Y: 298819210078481492676017930443930673437544040154080242095928241372331506189835876003536878655418784733982303233503462500531545062832660n,
  Z: 1n,
};

/** dom4 of plain Ed448 without a context (RFC 8032 §2). */
const DOMAIN = Buffer.from('SigEd448\0\0', 'latin1');

/** Bits of the scalars walked in one piece, which is about as long as decoding a point. */
const PIECE_BITS = 32n;

/** Tells whether `signature` is right (RFC 8032 §5.2.7). */
export function verifyEd448(
  publicKey: Uint8Array,
  data: Uint8Array,
  signature: Uint8Array,
): boolean {
  const work = verifyInPieces(publicKey, data, signature);
  for (;;) {
    const piece = work.next();
    if (piece.done) return piece.value;
  }
}

/** The same in some sixteen pieces, for who has something else to do in between. */
export function* verifyInPieces(
  publicKey: Uint8Array,
  data: Uint8Array,
  signature: Uint8Array,
): Generator<void, boolean> {
  if (publicKey.length !== KEY_BYTES || signature.length !== 2 * KEY_BYTES) return false;
  const half = signature.subarray(0, KEY_BYTES);
  const scalar = littleEndian(signature.subarray(KEY_BYTES));
  const key = decodePoint(publicKey);
  yield;
  const commitment = decodePoint(half);
  if (key === undefined || commitment === undefined || scalar >= ORDER) return false;
  const hash = createHash('shake256', { outputLength: 2 * KEY_BYTES });
  const digest = hash.update(DOMAIN).update(half).update(publicKey).update(data).digest();
  const challenge = littleEndian(digest) % ORDER;
  yield;
  // [S]B = R + [k]A, as [S]B + [k](−A) = R to walk both scalars at once.
  const sum = yield* multiply(scalar, BASE, challenge, { ...key, X: modulo(-key.X) });
  return isEqual(sum, commitment);
}

/** RFC 8032 §5.2.3: y, and the lowest bit of x in the highest bit. */
function decodePoint(bytes: Uint8Array): Point | undefined {
  const coded = littleEndian(bytes);
  const sign = coded >> 455n;
  const y = coded & ((1n << 455n) - 1n);
  if (y >= P) return undefined;
  const [u, v] = [modulo(y * y - 1n), modulo(D * y * y - 1n)];
  const root = modulo(
    u ** 3n * v * power(modulo(modulo(u ** 5n) * modulo(v ** 3n)), (P - 3n) / 4n),
  );
  if (modulo(v * root * root) !== u) return undefined;
  if (root === 0n && sign === 1n) return undefined;
  return { X: (root & 1n) === sign ? root : P - root, Y: y, Z: 1n };
}

/** [m]one + [n]other. */
function* multiply(m: bigint, one: Point, n: bigint, other: Point): Generator<void, Point> {
  const both = add(one, other);
  let sum = NEUTRAL;
  for (let bit = 446n; bit >= 0n; bit -= 1n) {
    sum = add(sum, sum);
    const [inM, inN] = [(m >> bit) & 1n, (n >> bit) & 1n];
    if (inM === 1n && inN === 1n) sum = add(sum, both);
    else if (inM === 1n) sum = add(sum, one);
    else if (inN === 1n) sum = add(sum, other);
    if (bit % PIECE_BITS === 0n && bit > 0n) yield;
  }
  return sum;
}

/** RFC 8032 §5.2.4; complete, so it doubles as well. */
function add(one: Point, other: Point): Point {
  const a = modulo(one.Z * other.Z);
  const b = modulo(a * a);
  const c = modulo(one.X * other.X);
  const d = modulo(one.Y * other.Y);
  const e = modulo(D * modulo(c * d));
  const [f, g] = [b - e, b + e];
  const h = modulo((one.X + one.Y) * (other.X + other.Y));
  return {
    X: modulo(modulo(a * f) * (h - c - d)),
    Y: modulo(modulo(a * g) * (d - c)),
    Z: modulo(f * g),
  };
}

function isEqual(one: Point, other: Point): boolean {
  return (
    modulo(one.X * other.Z - other.X * one.Z) === 0n &&
    modulo(one.Y * other.Z - other.Y * one.Z) === 0n
  );
}

function power(base: bigint, exponent: bigint): bigint {
  let [result, square] = [1n, base];
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) result = modulo(result * square);
    square = modulo(square * square);
  }
  return result;
}

function modulo(value: bigint): bigint {
  const rest = value % P;
  return rest < 0n ? rest + P : rest;
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
}
