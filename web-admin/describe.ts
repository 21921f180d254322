/**
 * How a route tells the OpenAPI document about itself, and how requests are checked: small covers
 * over hono-openapi, so that every route is described the same way and every refusal is a problem.
 *
 * @see https://spec.openapis.org/oas/v3.1.0
 */

import { toJsonSchema } from '@valibot/to-json-schema';
import type { MiddlewareHandler } from 'hono';
import { describeRoute, loadVendor, resolver, validator } from 'hono-openapi';
import type * as v from 'valibot';
import type { ProblemCode, ProblemPart } from './problem.ts';
import { PROBLEMS, problem } from './problem.ts';

// Loaded here and not by hono-openapi's own dynamic import, which a single-file build cannot follow.
loadVendor('valibot', {
  toJSONSchema: (schema, options) =>
    toJsonSchema(schema as v.GenericSchema, { errorMode: 'ignore', ...options }) as never,
});

type Description = {
  readonly tag: 'service' | 'devices' | 'rules' | 'zone' | 'history' | 'apply' | 'sign-in';
  readonly summary: string;
  readonly description?: string;
  readonly ok: v.GenericSchema | 'empty' | 'event-stream';
  readonly status?: 200 | 201;
  readonly problems?: readonly ProblemCode[];
  /** Open to everybody. */
  readonly isPublic?: boolean;
  /** A change that needs If-Match. */
  readonly ifMatch?: boolean;
};

/** Describes a route for the OpenAPI document. */
export function describe(description: Description): MiddlewareHandler {
  const { isPublic = false, problems: own = [] } = description;
  const problems: ProblemCode[] = isPublic ? [...own] : ['signed-out', ...own];
  if (description.ifMatch === true) problems.push('stale', 'precondition-required');
  return describeRoute({
    tags: [description.tag],
    summary: description.summary,
    ...(description.description === undefined ? {} : { description: description.description }),
    ...(isPublic ? { security: [] } : {}),
    ...(description.ifMatch === true ? { parameters: [IF_MATCH] } : {}),
    responses: { ...success(description), ...refusals(problems) },
  });
}

const IF_MATCH = {
  in: 'header' as const,
  name: 'If-Match',
  description: 'The ETag of the last reply, or *. Not needed on the unix socket.',
  schema: { type: 'string' as const },
};

function success({ ok, status = 200 }: Description) {
  if (ok === 'empty') return { '204': { description: 'Done' } };
  if (ok === 'event-stream') {
    return {
      '200': {
        description: 'Events, for as long as the connection lasts',
        content: { 'text/event-stream': { schema: { type: 'string' as const } } },
      },
    };
  }
  const content = { 'application/json': { schema: resolver(ok) } };
  return { [String(status)]: { description: 'Done', content } };
}

function refusals(codes: readonly ProblemCode[]) {
  const byStatus = new Map<number, string[]>();
  for (const code of codes) {
    const { status, title } = PROBLEMS[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), `${code}: ${title}`]);
  }
  const schema = { $ref: '#/components/schemas/Problem' };
  return Object.fromEntries(
    [...byStatus].map(([status, titles]) => [
      String(status),
      { description: titles.join('; '), content: { 'application/problem+json': { schema } } },
    ]),
  );
}

/** Checks the JSON body, or answers 'invalid' with pointers to what is wrong. */
export function body<Schema extends v.GenericSchema>(schema: Schema) {
  return validator('json', schema, (result) => {
    if (!result.success) return problem('invalid', { errors: result.error.map(partOf) });
    return undefined;
  });
}

/** Checks the query string. */
export function query<Schema extends v.GenericSchema>(schema: Schema) {
  return validator('query', schema, (result) => {
    if (!result.success) return problem('invalid', { errors: result.error.map(partOf) });
    return undefined;
  });
}

type Issue = {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
};

function partOf(issue: Issue): ProblemPart {
  const keys = (issue.path ?? []).map((key) => (typeof key === 'object' ? key.key : key));
  const pointer = keys.map((key) => `/${String(key).replace(/~/g, '~0').replace(/\//g, '~1')}`);
  return { pointer: pointer.join(''), detail: issue.message };
}
