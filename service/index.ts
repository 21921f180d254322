/** What of the service tests and benchmarks drive without a process of its own. */

export { openDatabase } from './hub/database.ts';
export { type HubSettings, inviteToHub, readHubSettings, runHub, startHub } from './hub/serve.ts';
export { signRequest } from './peers/signed-request.ts';
export { exchange } from './sync/exchange.ts';
