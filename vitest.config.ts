import { defineConfig } from 'vitest/config';

const rooms =
  '{resolver,tunnels,policy,storage,identity,web-admin,openwrt,service,runtime}/**/*.test.ts';

export default defineConfig({
  test: {
    restoreMocks: true,
    setupFiles: ['test/seed.ts'],
    // For what hangs: nothing is judged by the speed of a machine that may be busy.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    projects: [
      {
        extends: true,
        // They are pure, so files can share a process and what it has loaded: half the CPU.
        test: { name: 'unit', include: [rooms], isolate: false },
      },
      {
        extends: true,
        test: { name: 'suite', include: ['test/suites/**/*.test.ts'] },
      },
      {
        extends: true,
        test: {
          name: 'scenario',
          include: ['test/{scenarios,fuzz,conformance}/**/*.test.ts'],
        },
      },
      {
        extends: true,
        test: {
          name: 'netns',
          include: ['test/netns/**/*.test.ts'],
          fileParallelism: false,
        },
      },
      {
        extends: true,
        test: {
          name: 'browser',
          include: ['test/browser/**/*.test.ts'],
          fileParallelism: false,
        },
      },
    ],
  },
});
