/** The door of tunnels/: overlay addresses, and WireGuard tunnels that come when asked for. */

export { allocateIpv4, overlayAddress, overlayPrefix } from './address.ts';
export { allowedIps, type Desired, isAtHome, type TunnelDevice } from './plan.ts';
export {
  createTunnels,
  type PeerStatus,
  type Reach,
  type TunnelStatus,
  type Tunnels,
} from './signpost.ts';
export { parseDump, plainConfig, printKey } from './wg.ts';
