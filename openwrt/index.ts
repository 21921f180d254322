/**
 * The door of openwrt: a client of the router's message bus, and nymote's own object on it.
 */

export { type Backend, publishNymote } from './object.ts';
export { createUbus } from './ubus.ts';
