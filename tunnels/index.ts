/** The door of tunnels/: overlay addresses, and WireGuard tunnels that come when asked for. */

export { allocateIpv4, overlayAddress, overlayPrefix } from './address.ts';
export type { Desired, TunnelDevice } from './plan.ts';
export {
  createTunnels,
  type PeerStatus,
  type Reach,
  type TunnelStatus,
  type Tunnels,
} from './signpost.ts';
export { plainConfig, printKey } from './wg.ts';
