/**
 * Names of things in the store: `collection/key` is a record, `collection/key/field` a field.
 *
 * The grammar is narrow on purpose: every record is also a file in somebody's git checkout, so no
 * name can be `.git`, `..`, differ from another by case only, or need quoting in a shell.
 * Keys carry DNS owners (`@`, `_dmarc`, `*.home`); `*` is written `%2a` in the file name.
 */

/** A parsed path; without `field` it names the whole record. */
export type Path = {
  readonly collection: string;
  readonly key: string;
  readonly field: string | undefined;
};

const COLLECTION = /^[a-z0-9][a-z0-9-]{0,62}$/;
const KEY = /^(?:@|[a-z0-9_*][a-z0-9._*-]{0,199})$/;
const FIELD = /^[A-Za-z0-9_][A-Za-z0-9_-]{0,62}$/;

/** Every object has these already; a record that has one would be read as having all. */
const INHERITED: ReadonlySet<string> = new Set(Object.getOwnPropertyNames(Object.prototype));

/** No path is longer, by the grammar; longer text is refused before it is looked at. */
export const MAX_PATH = 1024;

/** Parses a path, undefined when it names nothing. */
export function parsePath(text: string): Path | undefined {
  if (text.length > MAX_PATH) return undefined;
  const [collection, key, field, ...rest] = text.split('/');
  if (collection === undefined || key === undefined || rest.length > 0) return undefined;
  if (!COLLECTION.test(collection) || !isKey(key)) return undefined;
  if (field !== undefined && !isField(field)) return undefined;
  return { collection, key, field };
}

/** Tells whether a text names a collection, a record or a field. */
export function isSubtree(text: string): boolean {
  return parsePath(text.includes('/') ? text : `${text}/x`) !== undefined;
}

/** Tells whether a record can have this key. */
export function isKey(text: string): boolean {
  return KEY.test(text);
}

/** Tells whether a record can have this field. */
export function isField(text: string): boolean {
  return FIELD.test(text) && !INHERITED.has(text);
}

/** Tells whether one of the paths is at or below the other. A bare collection is a path here. */
export function overlaps(a: string, b: string): boolean {
  return a === b || a.startsWith(`${b}/`) || b.startsWith(`${a}/`);
}

/** The file name of a record in its collection's directory. */
export function fileName(key: string): string {
  return `${key.includes('*') ? key.replaceAll('*', '%2a') : key}.json`;
}
