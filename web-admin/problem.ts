/**
 * Refusals as `application/problem+json` (RFC 9457): one table from code to status and title.
 * Never a stack, never the text of an error that is not meant for people.
 */

import type { BackendProblem } from './backend.ts';

/** Every way in which a request can fail. */
export type ProblemCode =
  | BackendProblem
  | 'signed-out'
  | 'cross-origin'
  | 'stale'
  | 'too-large'
  | 'misdirected'
  | 'precondition-required'
  | 'too-many'
  | 'internal';

export const PROBLEMS = {
  invalid: { status: 400, title: 'The request is not valid' },
  'signed-out': { status: 401, title: 'Not signed in' },
  denied: { status: 403, title: 'Not allowed' },
  'cross-origin': { status: 403, title: 'The request comes from another site' },
  'not-found': { status: 404, title: 'Not found' },
  conflict: { status: 409, title: 'It conflicts with what is there' },
  stale: { status: 412, title: 'Something changed in the meantime' },
  'too-large': { status: 413, title: 'The request is too large' },
  misdirected: { status: 421, title: 'This is not a name of this device' },
  'precondition-required': { status: 428, title: 'If-Match is missing' },
  'too-many': { status: 429, title: 'Too many requests' },
  internal: { status: 500, title: 'Something went wrong in nymote' },
  'read-only': { status: 503, title: 'This device cannot change the configuration now' },
  unavailable: { status: 503, title: 'Not available now' },
  'no-space': { status: 507, title: 'The disk is full' },
} as const satisfies Record<ProblemCode, { status: number; title: string }>;

/** Where in the request body something is wrong, as a JSON pointer (RFC 6901). */
export type ProblemPart = { readonly pointer: string; readonly detail: string };

type ProblemExtra = {
  readonly detail?: string;
  readonly errors?: readonly ProblemPart[];
  readonly headers?: Readonly<Record<string, string>>;
};

/** The response for `code`. */
export function problem(code: ProblemCode, extra: ProblemExtra = {}): Response {
  const { status, title } = PROBLEMS[code];
  const body = {
    type: `urn:nymote:problem:${code}`,
    title,
    status,
    code,
    ...(extra.detail === undefined ? {} : { detail: extra.detail }),
    ...(extra.errors === undefined ? {} : { errors: extra.errors }),
  };
  return new Response(JSON.stringify(body), {
    status,
    headers: {
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      ...extra.headers,
    },
  });
}
