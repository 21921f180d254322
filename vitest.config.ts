import { defineConfig } from 'vitest/config';

const rooms =
  '{resolver,tunnels,policy,storage,identity,web-admin,openwrt,service,runtime}/**/*.test.ts';

// Limits are for a test that hangs: a busy machine may be twenty times slower.
export default defineConfig({
  test: {
    restoreMocks: true,
    setupFiles: ['test/seed.ts'],
    hookTimeout: 180_000,
    projects: [
      {
        extends: true,
        // They are pure, so files can share a process and what it has loaded: half the CPU.
        test: { name: 'unit', include: [rooms], testTimeout: 60_000, isolate: false },
      },
      {
        extends: true,
        test: { name: 'suite', include: ['test/suites/**/*.test.ts'], testTimeout: 120_000 },
      },
      {
        extends: true,
        test: {
          name: 'scenario',
          include: ['test/{scenarios,fuzz,conformance}/**/*.test.ts'],
          testTimeout: 180_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'netns',
          include: ['test/netns/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'browser',
          include: ['test/browser/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 180_000,
        },
      },
    ],
  },
});
