import { cloudflareTest } from '@cloudflare/vitest-plugin'
import { playwright } from '@vitest/browser-playwright'
import { defineConfig } from 'vitest/config'
import { CHROMIUM_FLAGS, findEngine } from './test/support/engines.ts'
import { PLAIN_COMMANDS, plainBrowser } from './test/support/plain-browser.ts'

const chromium = findEngine('chromium')
/** The heap as it is, and garbage collected on request. */
const MEASURING_FLAGS = ['--enable-precise-memory-info', '--js-flags=--expose-gc']

/** How long expect.poll() waits unless a test says otherwise: a busy machine is slow, and one second is nothing there. */
const PATIENT = { poll: { timeout: 30_000, interval: 50 } }

/** The contract suites in an engine that vitest's own providers do not drive. */
function contractsIn(engine: 'firefox' | 'webkit') {
  return {
    test: {
      name: engine,
      expect: PATIENT,
      include: ['test/browser/{agent,outbox,service-worker,workers}.test.ts'],
      testTimeout: 60_000,
      browser: {
        enabled: true,
        headless: true,
        screenshotFailures: false,
        provider: plainBrowser(),
        commands: PLAIN_COMMANDS,
        instances: [{ browser: engine }],
      },
    },
  }
}

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          expect: PATIENT,
          include: ['test/{unit,contract}/**/*.test.ts'],
          environment: 'node',
          testTimeout: 60_000,
        },
      },
      {
        test: {
          // The relay on the open internet: hostile clients and fuzzing. METERTAP_LONG=1 runs the long form.
          name: 'relay',
          expect: PATIENT,
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
          expect: PATIENT,
          include: ['test/{runtimes,electron}/**/*.test.ts'],
          environment: 'node',
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'chromium',
          expect: PATIENT,
          include: ['test/browser/**/*.test.ts'],
          testTimeout: 60_000,
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
              durableObjects: {
                STOREROOM: { className: 'Storeroom', useSQLite: true },
                USAGE_OUTBOX: { className: 'TestOutbox', useSQLite: true },
                PLAIN_OUTBOX: { className: 'PlainOutbox' },
              },
            },
          }),
        ],
        test: {
          name: 'workerd',
          expect: PATIENT,
          include: ['test/workerd/**/*.test.ts'],
          testTimeout: 60_000,
        },
      },
      // `npm test` installs them where it may, and says what is skipped without them.
      ...(['firefox', 'webkit'] as const).filter(findEngine).map(contractsIn),
      {
        test: {
          // The package as packed, installed into a fresh folder and used from there. Needs a build.
          name: 'package',
          expect: PATIENT,
          include: ['test/package/**/*.test.ts'],
          environment: 'node',
          testTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          // A real browser on a real profile, driven from outside: kills, closed tabs, restarts.
          name: 'profile',
          expect: PATIENT,
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
