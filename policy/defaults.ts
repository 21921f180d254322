/**
 * What holds in a realm that has no rules of its own.
 *
 * Own devices see and reach each other and may use the resolver; the home network may use the
 * resolver but sees no device; the world gets nothing. A household widens or narrows this with rules
 * of a stronger tier, or with a deny in `default`. Only the guard cannot be taken away: whoever sits
 * at the machine itself can always administer it.
 */

import type { Rule } from './rule.ts';

/** The rules of every realm. Whatever none of them allows is denied. */
export const DEFAULT_RULES: readonly Rule[] = [
  {
    id: 'local-administrator',
    tier: 'guard',
    effect: 'allow',
    who: { any: ['group:own'] },
    do: ['administer', 'sign-in', 'read', 'write'],
    what: { any: ['*'] },
    when: { strength: 'local' },
    note: 'whoever sits at this machine',
    enabled: true,
  },
  {
    id: 'own-names',
    tier: 'default',
    effect: 'allow',
    who: { any: ['group:own'] },
    do: ['resolve'],
    what: { any: ['record:*'] },
    when: { strength: 'lease' },
    note: 'own devices see each other',
    enabled: true,
  },
  {
    id: 'own-connections',
    tier: 'default',
    effect: 'allow',
    who: { any: ['group:own'] },
    do: ['connect', 'tunnel'],
    what: { any: ['group:own'] },
    when: { strength: 'lease' },
    note: 'own devices reach each other',
    enabled: true,
  },
  {
    id: 'own-recursion',
    tier: 'default',
    effect: 'allow',
    who: { any: ['group:own'] },
    do: ['resolve'],
    what: { any: ['name:*'] },
    note: 'own devices use the resolver',
    enabled: true,
  },
  {
    id: 'home-recursion',
    tier: 'default',
    effect: 'allow',
    who: { any: ['zone:home', 'zone:loopback'] },
    do: ['resolve'],
    what: { any: ['name:*'] },
    note: 'the home network uses the resolver',
    enabled: true,
  },
  {
    id: 'own-publishing',
    tier: 'default',
    effect: 'allow',
    who: { any: ['group:own'] },
    do: ['publish'],
    what: { any: ['record:self'] },
    when: { strength: 'key' },
    note: 'a device speaks for its own name',
    enabled: true,
  },
  {
    id: 'full-nodes-sync',
    tier: 'default',
    effect: 'allow',
    who: { any: ['group:full'] },
    do: ['read', 'write'],
    what: { any: ['path:*'] },
    when: { strength: 'key' },
    note: 'full nodes hold the store',
    enabled: true,
  },
  {
    id: 'own-sign-in',
    tier: 'default',
    effect: 'allow',
    who: { any: ['group:own'] },
    do: ['sign-in'],
    what: { any: ['api:*'] },
    when: { strength: 'key' },
    note: 'own devices may open the sign-in page',
    enabled: true,
  },
  {
    id: 'signposts-administer',
    tier: 'default',
    effect: 'allow',
    who: { any: ['group:signposts'] },
    do: ['administer'],
    what: { any: ['*'] },
    when: { strength: 'key' },
    note: 'signposts of the realm look after each other',
    enabled: true,
  },
];
