import { defineConfig } from '@playwright/test';
import { LAUNCH } from './shop.mjs';

export default defineConfig({
  testDir: '.',
  testMatch: '*.spec.mjs',
  fullyParallel: true,
  workers: 2,
  timeout: 30_000,
  expect: { timeout: 5_000 },
  reporter: 'list',
  forbidOnly: Boolean(process.env.CI),
  use: {
    launchOptions: LAUNCH,
    locale: 'en-GB',
    viewport: { width: 1366, height: 768 },
    contextOptions: { reducedMotion: 'reduce' },
  },
});
