/** What several devices wrote at the same time, in memory. */

import type { Backend, ConflictsView, LateView, ProposalsView, Status } from '#web-admin';

/** What tests can do with it besides. */
export type Disagreement = {
  /** Lets devices disagree: a conflict, a device that exists twice, a proposal. */
  disagree(): void;
  /** What waits for a person, for the status. */
  waiting(): Pick<Status, 'waiting'>;
};

const ID = 'ab'.repeat(32);

/** Nobody disagrees until `disagree` is called. */
export function createDisagreement(
  now: () => number,
  changed: () => void,
): Disagreement & Pick<Backend, 'together'> {
  let conflicts: ConflictsView['conflicts'] = [];
  let late: LateView['late'] = [];
  let proposals: ProposalsView['proposals'] = [];
  const by = (name: string, secondsAgo: number, via: string) => ({
    ...{ commit: `${ID}${name}`.slice(-64), device: name, name, via },
    date: now() - secondsAgo,
  });
  return {
    disagree() {
      conflicts = [
        {
          path: 'rules/printer/effect',
          what: 'the rule printer: whether it allows or denies',
          values: [
            { ...by('desktop', 7_200, 'cli'), value: 'deny', said: 'deny' },
            { ...by('laptop', 3_600, 'web'), value: 'allow', said: 'allow' },
          ],
          rule: 'deny',
          why: 'what refuses counts until you decide',
        },
      ];
      late = [
        {
          ...{ device: 'desktop', name: 'desktop', reason: 'forked', count: 1 },
          sentence:
            'desktop wrote two different changes with one number (7): it was copied, or restored from an old backup. Its later changes do not count until you decide. Either way it is removed, and joins again with a new code.',
          changes: [
            {
              ...by('desktop', 600, 'cli'),
              message: 'Rule guests: only in the evening',
              what: ['Set the rule guests: when it counts to windows'],
            },
          ],
          fork: { seq: 7, commits: [ID, ID] },
        },
      ];
      const what = ['Remove the rule guests'];
      proposals = [{ id: 'desktop.9', device: 'desktop', name: 'desktop', what, mayApprove: true }];
      changed();
    },
    waiting(): Pick<Status, 'waiting'> {
      const [open, missed, asked] = [conflicts.length, late.length, proposals.length];
      if (open + missed + asked === 0) return {};
      return { waiting: { conflicts: open, late: missed, proposals: asked } };
    },
    together: {
      conflicts: async () => ({ conflicts }),
      async resolve({ path }) {
        conflicts = conflicts.filter((each) => each.path !== path);
        changed();
      },
      late: async () => ({ late }),
      async decideLate() {
        const commits = late.length;
        late = [];
        changed();
        return { commits, omitted: [] };
      },
      proposals: () => ({ paths: ['rules'], proposals }),
      requireTwo: async () => undefined,
      async approve() {
        proposals = [];
        changed();
      },
      async withdraw() {
        proposals = [];
        changed();
      },
    },
  };
}
