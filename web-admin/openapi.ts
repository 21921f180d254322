/** What the OpenAPI 3.1 document says beside the routes; the routes describe themselves. */

import * as v from 'valibot';

export const documentSchema = v.object({ openapi: v.string() });

export const DOCUMENTATION = {
  openapi: '3.1.0',
  info: {
    title: 'nymote',
    version: '1',
    description:
      'The devices of one person, their names and the tunnels between them. Additive within v1. ' +
      'Refusals are application/problem+json (RFC 9457) with a closed `code`. ' +
      'Replies from the store carry an ETag; changes to what is there need it as If-Match.',
    license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
  },
  tags: [
    { name: 'service', description: 'How nymote is doing' },
    { name: 'devices', description: 'Who belongs to the realm' },
    { name: 'zone', description: 'The names, and the key that signs them' },
    { name: 'history', description: 'Who changed what, and the way back' },
    { name: 'apply', description: "A router's configuration: applied, confirmed, or taken back" },
    { name: 'sign-in', description: 'Browsers by a one-time link, programs by a token' },
  ],
  security: [{ session: [] }, { token: [] }],
  components: {
    securitySchemes: {
      session: { type: 'apiKey' as const, in: 'cookie' as const, name: 'nymote' },
      token: { type: 'http' as const, scheme: 'bearer' },
    },
    schemas: {
      Problem: {
        type: 'object' as const,
        required: ['type', 'title', 'status', 'code'],
        properties: {
          type: { type: 'string' as const },
          title: { type: 'string' as const },
          status: { type: 'integer' as const },
          code: { type: 'string' as const },
          detail: { type: 'string' as const },
          errors: {
            type: 'array' as const,
            items: {
              type: 'object' as const,
              required: ['pointer', 'detail'],
              properties: {
                pointer: { type: 'string' as const },
                detail: { type: 'string' as const },
              },
            },
          },
        },
      },
    },
  },
};
