import { describe, expect, test } from 'vitest'
import { createExitCourier, EXIT_BUDGET_BYTES } from '../../src/transport/exit.ts'
import { deferred, settle } from '../support/fake-clock.ts'

function setUp(answer: (init: RequestInit) => Promise<Response> = async () => new Response('ok')) {
  const calls: RequestInit[] = []
  const fetch = (async (_url: string, init: RequestInit) => {
    calls.push(init)
    return answer(init)
  }) as typeof globalThis.fetch
  const utf8Length = (text: string) => Buffer.byteLength(text)
  return { calls, courier: createExitCourier({ fetch, url: 'https://relay.test/v1/exit', utf8Length }) }
}

describe('exit courier', () => {
  test('sends a keepalive request that needs no preflight and follows no redirect', async () => {
    const { calls, courier } = setUp()
    expect(await courier.send('body')).toEqual({ status: 200, body: 'ok' })
    expect(calls).toEqual([
      {
        method: 'POST',
        keepalive: true,
        body: 'body',
        headers: { 'content-type': 'text/plain;charset=UTF-8' },
        redirect: 'error',
      },
    ])
  })

  test('stays under the 64 KiB that browsers allow altogether', () => {
    expect(EXIT_BUDGET_BYTES).toBeLessThan(64 * 1024)
  })

  test('counts everything in flight, in bytes, and refuses what is over', async () => {
    const gate = deferred<Response>()
    const { calls, courier } = setUp(() => gate.promise)
    const half = 'é'.repeat(EXIT_BUDGET_BYTES / 4)
    const first = courier.send(half)
    expect(courier.freeBytes).toBe(EXIT_BUDGET_BYTES / 2)
    const second = courier.send(half)
    expect(courier.freeBytes).toBe(0)
    expect(courier.send('x')).toBeUndefined()
    expect(calls).toHaveLength(2)
    gate.resolve(new Response())
    await Promise.allSettled([first, second])
  })

  test('takes exactly the budget, not a byte more', () => {
    const { courier } = setUp()
    expect(courier.send('x'.repeat(EXIT_BUDGET_BYTES + 1))).toBeUndefined()
    expect(courier.send('x'.repeat(EXIT_BUDGET_BYTES))).toBeInstanceOf(Promise)
  })

  test('gives the budget back when the answer’s body is read, not before', async () => {
    const body = deferred<void>()
    const stream = new ReadableStream<Uint8Array>({
      async start(controller) {
        await body.promise
        controller.enqueue(new TextEncoder().encode('late'))
        controller.close()
      },
    })
    const { courier } = setUp(async () => new Response(stream, { status: 202 }))
    const sent = courier.send('12345')
    await settle()
    expect(courier.freeBytes).toBe(EXIT_BUDGET_BYTES - 5)
    body.resolve()
    expect(await sent).toEqual({ status: 202, body: 'late' })
    expect(courier.freeBytes).toBe(EXIT_BUDGET_BYTES)
  })

  test.each<[string, () => Promise<Response>]>([
    ['rejects', () => Promise.reject(new TypeError('Failed to fetch'))],
    [
      'throws',
      () => {
        throw new TypeError('keepalive')
      },
    ],
  ])('a fetch that %s gives the budget back, and disturbs nobody', async (_, answer) => {
    const { courier } = setUp(answer)
    expect(await courier.send('12345')).toBeUndefined()
    expect(courier.freeBytes).toBe(EXIT_BUDGET_BYTES)
  })
})
