/** The door of tunnels/: overlay addresses, and WireGuard tunnels that come when asked for. */

export { allocateIpv4, overlayAddress, overlayPrefix } from './address.ts';
export type { Accept } from './ask.ts';
export type { OffReason } from './backend.ts';
export type { Desired, PairState, TunnelDevice } from './plan.ts';
export {
  createTunnels,
  type PeerStatus,
  type Reach,
  type TunnelMessage,
  type TunnelStatus,
  type Tunnels,
  type TunnelsOptions,
} from './signpost.ts';
export { isKey, type PlainConfig, plainConfig, printKey } from './wg.ts';
