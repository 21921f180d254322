/** Records of the zone that people wrote, in memory. */

import { type Backend, type NamesView, WebAdminError } from '#web-admin';

/** A zone with one record. */
export function createNames(apex: string, commit: (message: string) => void): Backend['names'] {
  let names: NamesView['names'] = [
    {
      ...{ owner: 'www', fqdn: `www.${apex}` },
      records: [{ type: 'CNAME', ttl: 3_600, data: `router.${apex}.` }],
    },
  ];
  return {
    list: () => ({ apex, names }),
    async set(owner, { type, data, ttl = 3_600 }) {
      if (type === 'A' && !/^\d+(\.\d+){3}$/.test(data)) {
        throw new WebAdminError('invalid', `'${data}' is no IPv4 address.`);
      }
      const there = names.find((each) => each.owner === owner);
      const others = names.filter((each) => each.owner !== owner);
      const records = [...(there?.records ?? []), { type, ttl, data }];
      names = [...others, { owner, fqdn: `${owner}.${apex}`, records }];
      commit(`${type} of ${owner}`);
    },
    async remove(owner) {
      names = names.filter((each) => each.owner !== owner);
      commit(`remove ${owner}`);
    },
  };
}
