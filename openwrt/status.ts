/**
 * ubus status codes (`enum ubus_msg_status` in ubusmsg.h), by name.
 */

/** How a call on the bus can fail. */
export type UbusStatus =
  | 'invalid-command'
  | 'invalid-argument'
  | 'method-not-found'
  | 'not-found'
  | 'no-data'
  | 'permission-denied'
  | 'timeout'
  | 'not-supported'
  | 'unknown-error'
  | 'connection-failed'
  | 'no-memory'
  | 'parse-error'
  | 'system-error';

/** The number of each failure; 0 is success. */
export const UBUS_STATUS = {
  'invalid-command': 1,
  'invalid-argument': 2,
  'method-not-found': 3,
  'not-found': 4,
  'no-data': 5,
  'permission-denied': 6,
  timeout: 7,
  'not-supported': 8,
  'unknown-error': 9,
  'connection-failed': 10,
  'no-memory': 11,
  'parse-error': 12,
  'system-error': 13,
} as const satisfies Record<UbusStatus, number>;

const NAME_BY_NUMBER = new Map(
  Object.entries(UBUS_STATUS).map(([name, number]) => [number as number, name as UbusStatus]),
);

/** The failure a number stands for; undefined for success. */
export function failureOf(status: number): UbusStatus | undefined {
  return status === 0 ? undefined : (NAME_BY_NUMBER.get(status) ?? 'unknown-error');
}
