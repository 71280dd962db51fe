import { afterEach, expect, test, vi } from 'vitest'

const OUTSIDE = ['window', 'document', 'navigator', 'indexedDB', 'localStorage', 'BroadcastChannel', 'fetch'] as const

afterEach(() => {
  vi.restoreAllMocks()
  vi.resetModules()
})

/** Which globals this project's own code touches while `work` runs. */
async function touchedDuring(work: () => Promise<void>): Promise<string[]> {
  const touched: string[] = []
  const before = new Map(OUTSIDE.map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)]))
  for (const name of OUTSIDE) {
    const value = (globalThis as Record<string, unknown>)[name]
    Object.defineProperty(globalThis, name, {
      configurable: true,
      set() {
        touched.push(`${name}, set`)
      },
      get() {
        const stack = new Error().stack ?? ''
        if (stack.includes('/src/')) touched.push(name)
        return value
      },
    })
  }
  try {
    await work()
  } finally {
    for (const [name, descriptor] of before) {
      if (descriptor) Object.defineProperty(globalThis, name, descriptor)
      else Reflect.deleteProperty(globalThis, name)
    }
  }
  return touched
}

test('importing the agent touches nothing outside: safe on a server', async () => {
  const touched = await touchedDuring(async () => {
    const { createAgent, defineMeter, MetertapError } = await import('../../src/index.ts')
    expect([typeof createAgent, typeof defineMeter, typeof MetertapError]).toEqual(['function', 'function', 'function'])
  })
  expect(touched).toEqual([])
})

test.each([
  ['service worker', 'drainUsage', () => import('../../src/service-worker.ts')],
  ['React application', 'UsageProvider', () => import('../../src/react.ts')],
  ['page that is inspected', 'inspect', () => import('../../src/inspector.ts')],
  ['Electron renderer', 'createAgent', () => import('../../src/electron-renderer.ts')],
])('importing the entry for a %s touches nothing outside either', async (_, name, load) => {
  let entry: object = {}
  const touched = await touchedDuring(async () => {
    entry = await load()
  })
  expect(touched).toEqual([])
  expect(entry).toHaveProperty(name, expect.any(Function))
})

test.each([
  ['Node', () => import('../../src/node.ts')],
  ['Electron’s main process', () => import('../../src/electron-main.ts')],
])('importing the agent for %s listens to nothing and opens nothing', async (_, load) => {
  const listeners = () => process.eventNames().map((name) => [name, process.listenerCount(name)])
  const before = listeners()
  const opened = vi.spyOn((await import('node:sqlite')).default, 'DatabaseSync')
  const touched = await touchedDuring(async () => {
    const { createAgent, defineMeter } = await load()
    expect([typeof createAgent, typeof defineMeter]).toEqual(['function', 'function'])
  })
  expect(touched).toEqual([])
  expect(listeners()).toEqual(before)
  expect(opened).not.toHaveBeenCalled()
})
