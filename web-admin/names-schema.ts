/** What goes over the wire about the records that people add to their zone. */

import * as v from 'valibot';
import type { Immutable } from './schema.ts';

const MAX_TTL = 604_800;

const record = {
  type: v.pipe(v.string(), v.regex(/^[A-Za-z0-9-]{1,16}$/, 'a type such as A, AAAA, TXT')),
  ttl: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(MAX_TTL)),
  data: v.pipe(v.string(), v.minLength(1), v.maxLength(4_096)),
};

export const namesSchema = v.object({
  apex: v.string(),
  names: v.array(
    v.object({
      owner: v.pipe(v.string(), v.description('Relative to the apex, which is @')),
      fqdn: v.string(),
      records: v.array(v.object(record)),
    }),
  ),
});
export type NamesView = Immutable<v.InferOutput<typeof namesSchema>>;

export const newRecordSchema = v.strictObject({
  type: record.type,
  data: v.pipe(record.data, v.description('In presentation format (RFC 1035 §5)')),
  ttl: v.optional(v.pipe(record.ttl, v.description('Seconds, default 3600'))),
  beside: v.optional(
    v.pipe(v.boolean(), v.description('Keep the other records of this type; default false')),
  ),
});
export type NewRecord = Immutable<v.InferOutput<typeof newRecordSchema>>;

export const removeRecordSchema = v.object({
  type: v.optional(v.pipe(v.string(), v.maxLength(16), v.description('Absent: all of them'))),
  data: v.optional(v.pipe(v.string(), v.maxLength(4_096), v.description('Only this one'))),
});
export type RecordQuery = Immutable<v.InferOutput<typeof removeRecordSchema>>;

/** What the web admin needs for it of the rest of nymote. */
export type NamesBackend<Author> = {
  list(): NamesView;
  set(owner: string, wanted: NewRecord, author: Author): Promise<void>;
  remove(owner: string, which: RecordQuery, author: Author): Promise<void>;
};
