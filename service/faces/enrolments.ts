/** New devices that wait to be confirmed, for the API. */

import type { Backend } from '#web-admin';
import type { House } from '../house.ts';
import { inApiWords, requireWriter } from './refusal.ts';

/** Lists, confirms and rejects. */
export function createEnrolmentBackend(house: House): Backend['enrolments'] {
  const { enrolment } = house;
  return {
    waiting: () => ({
      devices: enrolment.waiting().map(({ code, ...device }) => ({
        ...device,
        ...(code === undefined ? {} : { code }),
      })),
    }),
    async confirm(name, code, author) {
      requireWriter(house);
      await inApiWords(() => enrolment.confirm(name, code, author.via));
    },
    reject: (name) => enrolment.reject(name),
  };
}
