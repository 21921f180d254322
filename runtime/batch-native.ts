/**
 * The part of Linux's socket interface that batches need: constants, structures, and the calls that
 * `node-batch.ts` and `bun-batch.ts` make through their FFI.
 *
 * Structures are those of 64-bit little-endian Linux, the same under glibc and musl: `mmsghdr` of 64
 * bytes, `iovec` of 16.
 *
 * @see recvmmsg(2), ip(7), ipv6(7), cmsg(3)
 */

/** Calls into the C library. Pointers are typed arrays, which the caller keeps referenced. */
export type Native = {
  socket(domain: number, type: number, protocol: number): number;
  bind(socket: number, address: Uint8Array, length: number): number;
  setsockopt(
    socket: number,
    level: number,
    name: number,
    value: Uint8Array,
    length: number,
  ): number;
  getsockname(socket: number, address: Uint8Array, length: Uint8Array): number;
  shutdown(socket: number, how: number): number;
  close(socket: number): number;
  poll(sockets: Uint8Array, count: number, timeout: number): number;
  recvmmsg(socket: number, headers: Uint8Array, count: number, flags: number): number;
  sendmmsg(socket: number, headers: Uint8Array, count: number, flags: number): number;
  clock(id: number, time: Uint8Array): number;
  errno(): number;
  addressOf(bytes: Uint8Array): bigint;
};

/** What to ask the dynamic loader for; musl answers to glibc's name itself. */
export const C_LIBRARIES = ['libc.so.6', 'libc.so'] as const;

/**
 * Numbers of the system calls. musl's functions of these names send one datagram at a time, so the
 * calls are made directly.
 */
export const SYSTEM_CALLS: Readonly<Record<string, { recvmmsg: number; sendmmsg: number }>> = {
  x64: { recvmmsg: 299, sendmmsg: 307 },
  arm64: { recvmmsg: 243, sendmmsg: 269 },
};

export const AF_INET = 2;
export const AF_INET6 = 10;
export const SOCK_DGRAM_CLOEXEC = 2 | 0x80000;
export const SHUT_RDWR = 2;
export const CLOCK_MONOTONIC = 1;

/** Level and name of the options used. */
export const OPTION = {
  reusePort: [1, 15],
  receiveBuffer: [1, 8],
  packetInfo4: [0, 8],
  packetInfo6: [41, 49],
  only6: [41, 26],
} as const;

export const MSG_DONTWAIT = 0x40;
export const MSG_WAITFORONE = 0x10000;
export const POLLIN = 1;

/** Nothing is there yet. */
export const EAGAIN = 11;

/** Codes of the errors that binding meets, as Node names them. */
export const ERRNO: Readonly<Record<number, string>> = {
  1: 'EPERM',
  13: 'EACCES',
  24: 'EMFILE',
  97: 'EAFNOSUPPORT',
  98: 'EADDRINUSE',
  99: 'EADDRNOTAVAIL',
};

/** `struct mmsghdr`, in words of four bytes. */
export const HEADER_WORDS = 16;
export const HEADER = {
  name: 0,
  nameLength: 2,
  vector: 4,
  vectorLength: 6,
  control: 8,
  controlLength: 10,
  length: 14,
} as const;

/** Room for one datagram; questions are far shorter, and what is cut does not parse. */
export const STRIDE = 2_048;
/** Room for a sender (`sockaddr_in6` has 28). */
export const NAME_BYTES = 32;
/** Room for one `IP_PKTINFO` (32 with padding) or `IPV6_PKTINFO` (40). */
export const CONTROL_BYTES = 40;

/** A route: lengths of sender and control message, then these. */
export const ROUTE = { nameLength: 0, controlLength: 1, name: 8, control: 40 } as const;
export const ROUTE_BYTES = 80;

/** Memory that native code has the address of. */
export type Slots = {
  readonly headers: Uint8Array<ArrayBuffer>;
  readonly words: Uint32Array;
  readonly data: Uint8Array<ArrayBuffer>;
  readonly names: Uint8Array<ArrayBuffer>;
  readonly control: Uint8Array;
  readonly vectors: Uint8Array;
  readonly vectorWords: Uint32Array;
  /** Halves of the addresses of each name and control, to point others at them. */
  readonly nameAddresses: Uint32Array;
  readonly controlAddresses: Uint32Array;
};

/**
 * Everything native code was ever given the address of stays here: what the collector frees while
 * the kernel writes to it is a crash.
 */
const held: Slots[] = [];

/** Memory that stays where it is: engines move what small arrays hold when their buffer is asked for. */
export function allocate(length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(length));
}

/** Makes `count` headers, each with room for a datagram, its sender and its control message. */
export function makeSlots(native: Pick<Native, 'addressOf'>, count: number): Slots {
  const headers = allocate(count * HEADER_WORDS * 4);
  const data = allocate(count * STRIDE);
  const names = allocate(count * NAME_BYTES);
  const control = allocate(count * CONTROL_BYTES);
  const vectors = allocate(count * 16);
  const wide = new BigUint64Array(headers.buffer);
  const vectorWide = new BigUint64Array(vectors.buffer);
  const list = (start: bigint, size: number) =>
    BigUint64Array.from({ length: count }, (_, index) => start + BigInt(index * size));
  const dataAt = list(native.addressOf(data), STRIDE);
  const namesAt = list(native.addressOf(names), NAME_BYTES);
  const controlAt = list(native.addressOf(control), CONTROL_BYTES);
  const vectorsAt = list(native.addressOf(vectors), 16);
  for (let index = 0; index < count; index++) {
    vectorWide[index * 2] = dataAt[index] as bigint;
    vectorWide[index * 2 + 1] = BigInt(STRIDE);
    const at = (index * HEADER_WORDS) / 2;
    wide[at] = namesAt[index] as bigint;
    wide[at + HEADER.vector / 2] = vectorsAt[index] as bigint;
    wide[at + HEADER.vectorLength / 2] = 1n;
    wide[at + HEADER.control / 2] = controlAt[index] as bigint;
  }
  const slots = {
    ...{ headers, data, names, control, vectors },
    words: new Uint32Array(headers.buffer),
    vectorWords: new Uint32Array(vectors.buffer),
    nameAddresses: new Uint32Array(namesAt.buffer),
    controlAddresses: new Uint32Array(controlAt.buffer),
  };
  held.push(slots);
  return slots;
}
