import { afterEach, expect, test, vi } from 'vitest'

const OUTSIDE = ['window', 'document', 'navigator', 'indexedDB', 'localStorage', 'BroadcastChannel', 'fetch'] as const

afterEach(() => {
  vi.restoreAllMocks()
  vi.resetModules()
})

test('importing the agent touches nothing outside: safe on a server', async () => {
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
    const { createAgent, defineMeter, MetertapError } = await import('../../src/index.ts')
    expect([typeof createAgent, typeof defineMeter, typeof MetertapError]).toEqual(['function', 'function', 'function'])
  } finally {
    for (const [name, descriptor] of before) {
      if (descriptor) Object.defineProperty(globalThis, name, descriptor)
      else Reflect.deleteProperty(globalThis, name)
    }
  }
  expect(touched).toEqual([])
})
