/**
 * One device of the tunnels test: the real machine behind `createTunnels`, told what to do by lines.
 *
 * Each line on stdin is a JSON request `{ id, call, … }`; each on stdout its result. The private key is
 * made here and never leaves, except for `reveal`, after which the test knows what to look for in the
 * arguments of programs it saw.
 */

import { createInterface } from 'node:readline';
import { nodeRuntime } from '#runtime/node';
import { createTunnels, type Desired, overlayAddress, printKey, type Tunnels } from '#tunnels';

export type Request =
  | {
      readonly call: 'start';
      readonly interface: string;
      readonly listenPort: number;
      readonly controlPort: number;
    }
  | { readonly call: 'apply'; readonly desired: Wired }
  | { readonly call: 'reach'; readonly device: string; readonly deadlineMs: number }
  | { readonly call: 'notify'; readonly head: string }
  | { readonly call: 'status' | 'reveal' | 'stop' };

/** What is desired, with keys as lists of bytes for JSON. */
export type Wired = Omit<Desired, 'devices'> & {
  readonly devices: readonly (Omit<Desired['devices'][number], 'publicKey'> & {
    readonly publicKey: readonly number[];
  })[];
};

const runtime = nodeRuntime();
const keys = runtime.crypto.generateAgreementKey();
const heard: string[] = [];
let tunnels: Tunnels | undefined;

async function answer(request: Request): Promise<unknown> {
  switch (request.call) {
    case 'start':
      tunnels = createTunnels(runtime, { ...request, privateKey: keys.privateKey });
      tunnels.onMessage((device, { head }) => heard.push(`${device} ${head}`));
      await tunnels.start();
      return {
        publicKey: [...keys.publicKey],
        address: overlayAddress(runtime.crypto, 'realm', keys.publicKey),
      };
    case 'apply': {
      const devices = request.desired.devices.map((device) => ({
        ...device,
        publicKey: Uint8Array.from(device.publicKey),
      }));
      return tunnels?.apply({ ...request.desired, devices });
    }
    case 'reach':
      return tunnels?.reach(request.device, request.deadlineMs);
    case 'notify':
      return tunnels?.notify({ kind: 'moved', head: request.head });
    case 'status':
      return { ...(await tunnels?.status()), heard };
    case 'reveal':
      return { privateKey: printKey(keys.privateKey) };
    case 'stop':
      await tunnels?.[Symbol.asyncDispose]();
      return;
  }
}

if (import.meta.main) {
  for await (const line of createInterface({ input: process.stdin })) {
    const { id, ...request } = JSON.parse(line) as Request & { id: number };
    void answer(request as Request).then(
      (result) => console.log(JSON.stringify({ id, result: result ?? null })),
      (error) => console.log(JSON.stringify({ id, error: String(error) })),
    );
  }
  await tunnels?.[Symbol.asyncDispose]();
  process.exit(0);
}
