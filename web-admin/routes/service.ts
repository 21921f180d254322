/** `/api/v1` about nymote itself: how it is, what it is asked, why it decides as it does. */

import { Hono } from 'hono';
import * as v from 'valibot';
import { provenanceSchema } from '../apply-schema.ts';
import type { Backend } from '../backend.ts';
import { describe, query } from '../describe.ts';
import { type EventHub, isTopic } from '../events.ts';
import { type Environment, isStillWelcome } from '../guard.ts';
import { problem } from '../problem.ts';
import {
  decisionSchema,
  doctorSchema,
  questionsSchema,
  statusSchema,
  whyQuerySchema,
} from '../schema.ts';

/** Status, doctor, why, questions and events. */
export function serviceRoutes(backend: Backend, hub: EventHub) {
  return new Hono<Environment>()
    .get(
      '/status',
      describe({ tag: 'service', summary: 'How nymote is doing', ok: statusSchema }),
      async (c) => c.json(await backend.status()),
    )
    .get(
      '/doctor',
      describe({ tag: 'service', summary: 'Check everything that can be wrong', ok: doctorSchema }),
      async (c) => c.json({ checks: await backend.doctor() }),
    )
    .get(
      '/why',
      describe({
        tag: 'service',
        summary: 'What would be decided, and why; or where a line comes from',
        ok: v.union([decisionSchema, provenanceSchema]),
        problems: ['invalid', 'not-found'],
      }),
      query(whyQuerySchema),
      async (c) => {
        const { name, line, asker, verb, at } = c.req.valid('query');
        if (line !== undefined) return c.json(await backend.apply.provenance(line));
        if (name === undefined) return problem('invalid', { detail: 'Name a name or a line.' });
        const decision = await backend.why({
          name,
          ...(asker === undefined ? {} : { asker }),
          ...(verb === undefined ? {} : { verb }),
          ...(at === undefined ? {} : { at: Number(at) }),
        });
        return c.json(decision);
      },
    )
    .get(
      '/questions',
      describe({ tag: 'service', summary: 'The last questions', ok: questionsSchema }),
      (c) => c.json({ questions: backend.questions() }),
    )
    .get(
      '/events',
      describe({
        tag: 'service',
        summary: 'What happens, as it happens',
        description: 'Topics: question, head, tunnel, status. `gap` says that events were lost.',
        ok: 'event-stream',
        problems: ['invalid', 'too-many'],
      }),
      (c) => {
        const topics = (c.req.query('topics') ?? '').split(',').filter((topic) => topic !== '');
        if (!topics.every(isTopic)) return problem('invalid', { detail: 'Unknown topic.' });
        // HEAD takes this way too, and nobody would ever read its stream.
        if (c.req.raw.method === 'HEAD') return c.body(null);
        const caller = c.get('caller');
        const stream = hub.open({
          topics: new Set(topics),
          lastEventId: c.req.header('last-event-id'),
          isWelcome: () => isStillWelcome(caller, backend),
        });
        if (stream === undefined) return problem('too-many', { headers: { 'retry-after': '15' } });
        return new Response(stream, { headers: { 'content-type': 'text/event-stream' } });
      },
    );
}
