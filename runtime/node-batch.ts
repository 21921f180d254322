/**
 * Batched datagrams on Node: native calls through koffi.
 */

import { createRequire } from 'node:module';
import type * as Koffi from 'koffi';
import { absenceOf, createBatchUdp, refusalOf } from './batch.ts';
import { C_LIBRARIES, type Native, SYSTEM_CALLS } from './batch-native.ts';
import type { Log, OpenBatchUdp } from './index.ts';

/** Not written where it is loaded, lest a bundler takes it along: executables are Bun's. */
const KOFFI = 'koffi';

/** Opens batched datagrams, where this machine is one for it. */
export function openNodeBatch(log: Log): OpenBatchUdp {
  return async () => {
    const native = loadNative();
    if (typeof native === 'string') return native;
    const refusal = refusalOf(native);
    if (refusal !== undefined) return refusal;
    return createBatchUdp(native, new URL('./node-batch-thread.ts', import.meta.url), log);
  };
}

/** The C library's calls, or why there are none. */
export function loadNative(): Native | string {
  const calls = process.platform === 'linux' ? SYSTEM_CALLS[process.arch] : undefined;
  if (calls === undefined) return `not on ${process.platform} ${process.arch}`;
  try {
    const koffi = createRequire(import.meta.url)(KOFFI) as typeof Koffi;
    return bindCalls(koffi, openLibrary(koffi), calls);
  } catch (thrown) {
    return absenceOf(KOFFI, thrown);
  }
}

function openLibrary(koffi: typeof Koffi): Koffi.LibraryHandle {
  const problems: unknown[] = [];
  for (const name of C_LIBRARIES) {
    try {
      return koffi.load(name);
    } catch (thrown) {
      problems.push(thrown);
    }
  }
  throw new Error(problems.map(String).join('; '));
}

function bindCalls(
  koffi: typeof Koffi,
  library: Koffi.LibraryHandle,
  calls: { readonly recvmmsg: number; readonly sendmmsg: number },
): Native {
  const receive = library.func('long syscall(long, int, void *, unsigned int, int, void *)');
  const send = library.func('long syscall(long, int, void *, unsigned int, int)');
  return {
    socket: library.func('int socket(int, int, int)'),
    bind: library.func('int bind(int, void *, uint32)'),
    setsockopt: library.func('int setsockopt(int, int, int, void *, uint32)'),
    getsockname: library.func('int getsockname(int, void *, void *)'),
    shutdown: library.func('int shutdown(int, int)'),
    close: library.func('int close(int)'),
    poll: library.func('int poll(void *, unsigned long, int)'),
    clock: library.func('int clock_gettime(int, void *)'),
    recvmmsg: (socket, headers, count, flags) =>
      receive(calls.recvmmsg, socket, headers, count, flags, null),
    sendmmsg: (socket, headers, count, flags) =>
      send(calls.sendmmsg, socket, headers, count, flags),
    errno: () => koffi.errno(),
    addressOf: (bytes) => BigInt(koffi.address(bytes)),
  };
}
