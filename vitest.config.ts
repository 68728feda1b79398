import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 20_000,
    hookTimeout: 20_000,
    // What is waited for comes when the machine has time for it.
    expect: { poll: { timeout: 10_000, interval: 20 } },
  },
});
