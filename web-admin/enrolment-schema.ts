/** `/api/v1/enrolments` over the wire: new devices that wait until somebody has compared a code. */

import * as v from 'valibot';

export const roleSchema = v.picklist(['owner', 'device', 'guest']);

export const waitingDevicesSchema = v.object({
  devices: v.array(
    v.object({
      name: v.string(),
      role: roleSchema,
      code: v.optional(
        v.pipe(v.string(), v.description('Six digits; the new device shows the same')),
      ),
      expiresAt: v.pipe(v.number(), v.description('Seconds since 1970-01-01T00:00Z')),
    }),
  ),
});
export type WaitingDevices = {
  readonly devices: readonly Readonly<
    v.InferOutput<typeof waitingDevicesSchema>['devices'][number]
  >[];
};

export const comparedSchema = v.strictObject({
  code: v.pipe(v.string(), v.regex(/^\d{3} ?\d{3}$/, 'six digits, as both devices show them')),
});

/** What a backend does about them. */
export type EnrolmentBackend<Author> = {
  waiting(): WaitingDevices;
  /** `code` is what somebody saw on the new device; 'conflict' when it is another one. */
  confirm(name: string, code: string, author: Author): Promise<void>;
  reject(name: string): void;
};
