/** The words about hubs, and about upstreams that are read from one. */

import { DATA, type Flag, type Operand, type Verb } from './verb.ts';

const NAME: Operand = { name: 'name' };
const PRECEDENCE: Flag = {
  flag: '--precedence',
  key: 'precedence',
  expects: 'mine-first or theirs-first',
  otherwise: 'mine-first',
  help: 'whose rules decide where both have one',
};
const HUB_FLAGS: readonly Flag[] = [
  {
    flag: '--database',
    key: 'database',
    expects: 'postgres://user@host/name',
    otherwise: '$NYMOTE_DATABASE',
    help: 'PostgreSQL, as a user without privileges',
  },
  {
    flag: '--quota',
    key: 'quota',
    expects: 'megabytes',
    otherwise: '64',
    help: 'what a new realm may take, half of it from one device',
  },
];
const DATABASE = HUB_FLAGS.slice(0, 1);

/** Running a hub, and what is done to its database beside it. */
export const HUB_VERBS: readonly Verb[] = [
  {
    name: 'hub',
    operands: [],
    flags: [
      ...HUB_FLAGS,
      {
        flag: '--listen',
        key: 'listen',
        expects: 'address:port',
        otherwise: '127.0.0.1:8054',
        help: 'where devices come to',
      },
      {
        flag: '--daily',
        key: 'daily',
        expects: 'megabytes',
        otherwise: '16',
        help: 'what one device may push in a day',
      },
      {
        flag: '--metrics',
        key: 'metrics',
        expects: 'address:port',
        help: 'where Prometheus reads how things are',
      },
      {
        flag: '--proxied',
        key: 'proxied',
        help: 'a proxy stands before it and says who asks in X-Forwarded-For',
      },
      { flag: '--certificate', key: 'certificate', expects: 'a path', help: 'PEM, for HTTPS' },
      { flag: '--key', key: 'key', expects: 'a path', help: 'its private key' },
    ],
    help: 'hold sealed commits for realms whose devices cannot always meet, in the foreground',
    example: 'hub --listen 127.0.0.1:8054 --database postgres://nymote@/nymote',
  },
  {
    name: 'hub invite',
    operands: [],
    flags: [
      ...HUB_FLAGS,
      {
        flag: '--uses',
        key: 'uses',
        expects: 'a number',
        otherwise: '1',
        help: 'for so many realms',
      },
    ],
    help: 'print a code with which a realm can be begun on the hub, shown once',
    example: 'hub invite --uses 10',
  },
  {
    name: 'hub publish',
    operands: [{ name: 'realm' }],
    flags: [...DATABASE, { flag: '--off', key: 'off', help: 'members only, as it was' }],
    help: 'let everybody read a realm on the hub, as an upstream for their own',
    example: 'hub publish REALM',
  },
  {
    name: 'hub forget',
    operands: [{ name: 'realm' }],
    flags: DATABASE,
    help: 'delete all that the hub keeps of a realm',
    example: 'hub forget REALM',
  },
];

/** Realms of others whose rules count here, and this one as theirs. */
export const UPSTREAM_VERBS: readonly Verb[] = [
  {
    name: 'upstream add',
    operands: [{ name: 'text' }],
    flags: [
      DATA,
      PRECEDENCE,
      {
        flag: '--name',
        key: 'name',
        expects: 'a name',
        otherwise: "the operator's own",
        help: 'what it is called here',
      },
    ],
    help: 'follow the rules of an operator: the line nymote-upstream:… that `upstream share` prints',
    example: 'upstream add nymote-upstream:… --precedence theirs-first',
  },
  {
    name: 'upstream set',
    operands: [NAME],
    flags: [
      DATA,
      PRECEDENCE,
      { flag: '--on', key: 'on', help: 'its rules count' },
      { flag: '--off', key: 'off', help: 'its rules do not count' },
    ],
    help: 'change how an upstream is followed',
    example: 'upstream set mesh --off',
  },
  { name: 'upstream list', operands: [], flags: [DATA], help: 'list the upstreams' },
  {
    name: 'upstream pull',
    operands: [NAME],
    flags: [DATA],
    help: 'ask an upstream at once',
    example: 'upstream pull mesh',
  },
  {
    name: 'upstream remove',
    operands: [NAME],
    flags: [DATA],
    help: 'follow an upstream no more',
    example: 'upstream remove mesh',
  },
  {
    name: 'upstream share',
    operands: [],
    flags: [DATA, { flag: '--off', key: 'off', help: 'let nobody follow it any more' }],
    help: 'let everybody follow this realm, through its hub, and print how',
    example: 'upstream share',
  },
];
