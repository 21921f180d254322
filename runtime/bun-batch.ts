/**
 * Batched datagrams on Bun: native calls through bun:ffi.
 */

import { absenceOf, createBatchUdp, refusalOf } from './batch.ts';
import { openBatchIo, type ThreadData } from './batch-io.ts';
import { C_LIBRARIES, type Native, SYSTEM_CALLS } from './batch-native.ts';
import type { BatchIo, Log, OpenBatchUdp } from './index.ts';

/** Only Bun knows this module; for Node's tools it does not exist. */
const FFI = 'bun:ffi';

type Call = (...words: readonly unknown[]) => number;
type Ffi = {
  dlopen(name: string, symbols: object): { readonly symbols: Readonly<Record<string, Call>> };
  ptr(bytes: Uint8Array): number;
  readonly read: { i32(at: number): number };
};

const CALLS = {
  socket: { args: ['i32', 'i32', 'i32'], returns: 'i32' },
  bind: { args: ['i32', 'ptr', 'u32'], returns: 'i32' },
  setsockopt: { args: ['i32', 'i32', 'i32', 'ptr', 'u32'], returns: 'i32' },
  getsockname: { args: ['i32', 'ptr', 'ptr'], returns: 'i32' },
  shutdown: { args: ['i32', 'i32'], returns: 'i32' },
  close: { args: ['i32'], returns: 'i32' },
  poll: { args: ['ptr', 'u64', 'i32'], returns: 'i32' },
  clock_gettime: { args: ['i32', 'ptr'], returns: 'i32' },
  // The kernel's results are small; an i64 would be a BigInt each time.
  syscall: { args: ['i32', 'i32', 'ptr', 'u32', 'i32', 'ptr'], returns: 'i32' },
  __errno_location: { args: [], returns: 'ptr' },
} as const;

/** Opens batched datagrams, where this machine is one for it. */
export function openBunBatch(log: Log): OpenBatchUdp {
  return async () => {
    const native = await loadNative();
    if (typeof native === 'string') return native;
    const refusal = refusalOf(native);
    if (refusal !== undefined) return refusal;
    return createBatchUdp(native, new URL('./bun-batch-thread.ts', import.meta.url), log);
  };
}

/** A thread's sockets; `data` is what it was started with. */
export async function openBunBatchIo(
  data: unknown,
  ring: (sound: number) => void,
): Promise<BatchIo> {
  const native = await loadNative();
  if (typeof native === 'string') throw new Error(native);
  return openBatchIo(native, data as ThreadData, ring);
}

async function loadNative(): Promise<Native | string> {
  const numbers = process.platform === 'linux' ? SYSTEM_CALLS[process.arch] : undefined;
  if (numbers === undefined) return `not on ${process.platform} ${process.arch}`;
  try {
    const ffi: Ffi = await import(FFI);
    return bindCalls(ffi, openLibrary(ffi), numbers);
  } catch (thrown) {
    return absenceOf(FFI, thrown);
  }
}

function openLibrary({ dlopen }: Ffi): Readonly<Record<keyof typeof CALLS, Call>> {
  const problems: unknown[] = [];
  for (const name of C_LIBRARIES) {
    try {
      return dlopen(name, CALLS).symbols as Readonly<Record<keyof typeof CALLS, Call>>;
    } catch (thrown) {
      problems.push(thrown);
    }
  }
  throw new Error(problems.map(String).join('; '));
}

function bindCalls(
  { ptr, read }: Ffi,
  symbols: Readonly<Record<keyof typeof CALLS, Call>>,
  numbers: { readonly recvmmsg: number; readonly sendmmsg: number },
): Native {
  const { socket, bind, setsockopt, getsockname, shutdown, close, poll, syscall } = symbols;
  return {
    ...{ socket, bind, setsockopt, getsockname, shutdown, close, poll },
    clock: symbols.clock_gettime,
    recvmmsg: (handle, headers, count, flags) =>
      syscall(numbers.recvmmsg, handle, headers, count, flags, null),
    sendmmsg: (handle, headers, count, flags) =>
      syscall(numbers.sendmmsg, handle, headers, count, flags, null),
    errno: () => read.i32(symbols.__errno_location()),
    addressOf: (bytes) => BigInt(ptr(bytes)),
  };
}
