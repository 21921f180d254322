/**
 * One device of the tunnels test: the real machine behind `createTunnels`, told what to do by lines.
 *
 * Each line on stdin is a JSON request `{ id, call, … }`; each on stdout its result. The private key
 * lives in a file, so that a device can come back after a crash; the test looks for it in the arguments
 * of all programs it saw.
 */

import { createInterface } from 'node:readline';
import { nodeRuntime } from '#runtime/node';
import { createTunnels, type Desired, overlayAddress, type Tunnels } from '#tunnels';

export type Request =
  | {
      readonly call: 'start';
      readonly interface: string;
      readonly listenPort: number;
      readonly controlPort: number;
      readonly keyFile: string;
    }
  | { readonly call: 'apply'; readonly desired: Wired }
  | { readonly call: 'reach'; readonly device: string; readonly deadlineMs: number }
  | { readonly call: 'notify'; readonly head: string }
  | { readonly call: 'status' | 'stop' };

/** What is desired, with keys as lists of bytes for JSON. */
export type Wired = Omit<Desired, 'devices'> & {
  readonly devices: readonly (Omit<Desired['devices'][number], 'publicKey'> & {
    readonly publicKey: readonly number[];
  })[];
};

const runtime = nodeRuntime();
const heard: string[] = [];
let tunnels: Tunnels | undefined;

async function answer(request: Request): Promise<unknown> {
  switch (request.call) {
    case 'start': {
      const privateKey = await readKey(request.keyFile);
      const publicKey = runtime.crypto.agreementPublicKey(privateKey);
      tunnels = createTunnels(runtime, { ...request, privateKey });
      tunnels.onMessage((device, { head }) => heard.push(`${device} ${head}`));
      await tunnels.start();
      return {
        publicKey: [...publicKey],
        address: overlayAddress(runtime.crypto, 'realm', publicKey),
      };
    }
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
    case 'stop':
      await tunnels?.[Symbol.asyncDispose]();
      return;
  }
}

async function readKey(path: string): Promise<Uint8Array> {
  const { privateKey } = runtime.crypto.generateAgreementKey();
  const kept = await runtime.files.read(path);
  if (kept === undefined) {
    await runtime.files.replace(path, privateKey, 0o600);
  }
  return kept ?? privateKey;
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
