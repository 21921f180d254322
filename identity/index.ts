/**
 * Who a device is, and how a person proves to be the one: keys, one-time codes, sessions,
 * enrolment, the recovery phrase.
 */

export { encodeBech32 } from './bech32.ts';
export { type Codes, createCodes } from './codes.ts';
export {
  commitTo,
  ENROLMENT,
  openEnrolment,
  type PendingEnrolment,
  pollHandle,
  sealEnrolment,
  shortCode,
} from './enrolment.ts';
export {
  type DeviceKeys,
  decodeKeyFile,
  deviceId,
  encodeKeyFile,
  generateDeviceKeys,
} from './keys.ts';
export {
  generateRecoveryPhrase,
  openRecoveryPhrase,
  type PhraseProblem,
  type RecoveryKeys,
} from './recovery.ts';
export { createSessions } from './sessions.ts';
