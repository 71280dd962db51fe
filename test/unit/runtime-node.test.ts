import { afterEach, describe, expect, test, vi } from 'vitest'
import { createAgent } from '../../src/agent/node.ts'
import { nodeRuntime } from '../../src/runtime/node.ts'
import { joinProcess, type ProcessMember } from '../../src/runtime/node-process.ts'
import { calls } from '../contract/agent-kit.ts'
import { failure } from '../support/fake-clock.ts'
import { testFolder } from '../support/sqlite-home.ts'

const EVENTS = ['exit', 'beforeExit', 'SIGTERM', 'SIGINT'] as const
const counts = () => EVENTS.map((event) => process.listenerCount(event))

afterEach(() => vi.restoreAllMocks())

function member(): ProcessMember {
  return { onExit: vi.fn(), onIdle: vi.fn(), onSignal: vi.fn(async () => {}) }
}

describe('the end of a process', () => {
  test('any number of members share one listener for each event, gone with the last', () => {
    const before = counts()
    const leaves = Array.from({ length: 30 }, () => joinProcess(member(), ['SIGTERM', 'SIGINT']))
    expect(counts()).toEqual(before.map((count) => count + 1))
    for (const leave of leaves.slice(1)) leave()
    expect(counts()).toEqual(before.map((count) => count + 1))
    leaves[0]?.()
    expect(counts()).toEqual(before)
  })

  test('a signal is for all members, and kills when they are done and nobody else listened', async () => {
    const kill = vi.spyOn(process, 'kill').mockReturnValue(true)
    const done = Promise.withResolvers<void>()
    const [quick, slow, broken] = [member(), member(), member()]
    vi.mocked(slow.onSignal).mockReturnValue(done.promise)
    vi.mocked(broken.onSignal).mockRejectedValue(new Error('broken'))
    const leaves = [quick, slow, broken].map((each) => joinProcess(each, ['SIGTERM']))
    process.emit('SIGTERM')
    for (const each of [quick, slow, broken]) expect(each.onSignal).toHaveBeenCalledTimes(1)
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(kill).not.toHaveBeenCalled()
    done.resolve()
    await expect.poll(() => kill.mock.calls).toEqual([[process.pid, 'SIGTERM']])
    for (const leave of leaves) leave()
  })

  test('a listener of the application’s own, for one time even, keeps the ending to itself', async () => {
    const kill = vi.spyOn(process, 'kill').mockReturnValue(true)
    const own = vi.fn()
    process.once('SIGINT', own)
    const one = member()
    const leave = joinProcess(one, ['SIGINT'])
    process.emit('SIGINT')
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect([own.mock.calls.length, vi.mocked(one.onSignal).mock.calls.length]).toEqual([1, 1])
    expect(kill).not.toHaveBeenCalled()
    leave()
  })
})

describe('createAgent on Node', () => {
  const options = () => ({ folder: testFolder(), relay: 'http://127.0.0.1:9', token: () => 'token', meters: [calls] })

  test.each([
    ['folder', { folder: '' }],
    ['folder', { folder: 7 }],
    ['signals', { signals: ['SIGKILL'] }],
    ['signals', { signals: 'SIGTERM' }],
    ['exitFlushMs', { exitFlushMs: -1 }],
    ['exitFlushMs', { exitFlushMs: 0.5 }],
    ['relay', { relay: 'usage.acme.com' }],
  ])('names the option %s that does not fit, and leaves nothing behind', async (name, wrong) => {
    const before = counts()
    const error = await failure(() => createAgent({ ...options(), ...wrong } as Parameters<typeof createAgent>[0]))
    expect(error).toMatchObject({ code: 'bad_option', message: expect.stringContaining(name) })
    expect(counts()).toEqual(before)
  })

  test('refuses to start without options', async () => {
    expect(await failure(() => createAgent(undefined as never))).toMatchObject({ code: 'bad_option' })
  })

  test('await using closes it: what was recorded is stored, and it has left its process', async () => {
    const given = options()
    const before = counts()
    {
      await using usage = createAgent(given)
      expect(counts()).toEqual(before.map((count) => count + 1))
      usage.record(calls, { n: 1 })
    }
    expect(counts()).toEqual(before)
    await using again = createAgent({ ...given, signals: [] })
    expect(counts()).toEqual([before[0] ?? 0, before[1] ?? 0].map((count) => count + 1).concat(before.slice(2)))
    expect(await again.streams()).toMatchObject([{ recorded: 1 }])
  })
})

describe('the runtime', () => {
  test('a request ends when the process wants to, and the next one is not hurt', async () => {
    const hanging = vi.spyOn(globalThis, 'fetch').mockImplementation(async (_, init) => {
      await new Promise((_resolve, reject) =>
        init?.signal?.addEventListener('abort', () => reject(init.signal?.reason)),
      )
      return new Response()
    })
    const runtime = nodeRuntime()
    const given = new AbortController()
    const requests = [runtime.fetch('http://relay.test'), runtime.fetch('http://relay.test', { signal: given.signal })]
    runtime.cutShort()
    for (const each of requests) await expect(each).rejects.toMatchObject({ name: 'AbortError' })
    const cancelled = runtime.fetch(new Request('http://relay.test', { signal: given.signal }))
    given.abort(new Error('mine'))
    await expect(cancelled).rejects.toThrow('mine')
    hanging.mockRestore()
  })

  test('waits for work, but no longer than it may, and not at all for what has failed', async () => {
    const runtime = nodeRuntime()
    await runtime.waitFor(new Promise(() => {}), 5)
    await runtime.waitFor(Promise.reject(new Error('failed')), 60_000)
    await runtime.waitFor(Promise.resolve(), 60_000)
  })

  test('a listener that throws becomes a warning, not the end of the server', async () => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const error = new Error('of a listener')
    nodeRuntime().reportError(error)
    expect(warned).toHaveBeenCalledWith(error)
  })
})
