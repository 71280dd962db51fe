import { cloudflareTest } from '@cloudflare/vitest-plugin'
import { playwright } from '@vitest/browser-playwright'
import { defineConfig } from 'vitest/config'
import { CHROMIUM_FLAGS, findEngine } from './test/support/engines.ts'

const chromium = findEngine('chromium')
/** The heap as it is, and garbage collected on request. */
const MEASURING_FLAGS = ['--enable-precise-memory-info', '--js-flags=--expose-gc']

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/{unit,contract}/**/*.test.ts'],
          environment: 'node',
          testTimeout: 30_000,
        },
      },
      {
        test: {
          // The relay on the open internet: hostile clients and fuzzing. METERTAP_LONG=1 runs the long form.
          name: 'relay',
          include: ['test/relay/**/*.test.ts'],
          environment: 'node',
          testTimeout: process.env.METERTAP_LONG ? 600_000 : 60_000,
          hookTimeout: 60_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          // The agent outside of a page: processes, folders, Electron.
          name: 'runtimes',
          include: ['test/{runtimes,electron}/**/*.test.ts'],
          environment: 'node',
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'chromium',
          include: ['test/browser/**/*.test.ts'],
          testTimeout: 30_000,
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({
              launchOptions: {
                ...(chromium ? { executablePath: chromium } : {}),
                args: [...CHROMIUM_FLAGS, ...MEASURING_FLAGS],
              },
            }),
            instances: [{ browser: 'chromium' }],
          },
        },
      },
      {
        // In workerd itself, with SQLite Durable Objects. The plugin defines process, Buffer and BroadcastChannel there,
        // which a deployed Worker may lack: what depends on their absence is tested by miniflare alone.
        plugins: [
          cloudflareTest({
            main: './test/workerd/worker.ts',
            miniflare: {
              compatibilityDate: '2026-06-01',
              durableObjects: { STOREROOM: { className: 'Storeroom', useSQLite: true } },
            },
          }),
        ],
        test: {
          name: 'workerd',
          include: ['test/workerd/**/*.test.ts'],
          testTimeout: 60_000,
        },
      },
      {
        test: {
          // A real browser on a real profile, driven from outside: kills, closed tabs, restarts.
          name: 'profile',
          include: ['test/profile/**/*.test.ts'],
          environment: 'node',
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
    ],
  },
})
