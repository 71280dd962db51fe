import { beforeEach, describe, expect, test } from 'vitest'
import { call, type HttpDeps } from '../../src/relay/forward/http-call.ts'
import { createVirtualTime, type VirtualTime } from '../support/virtual-time.ts'

describe('call', () => {
  let time: VirtualTime
  let stop: AbortController
  beforeEach(() => {
    time = createVirtualTime(0)
    stop = new AbortController()
  })

  function callWith(fetch: HttpDeps['fetch']) {
    const deps = { fetch, timer: time.timer, timeoutMs: 1_000, stopped: stop.signal }
    return call('https://rest.zuora.com/x', { headers: {}, body: 'x' }, deps)
  }
  /** Rejects when it is aborted, as fetch does; answers with `response` otherwise. */
  const answering =
    (response?: Response): HttpDeps['fetch'] =>
    (_, init) =>
      new Promise((resolve, reject) => {
        if (init?.signal?.aborted) reject(init.signal.reason)
        init?.signal?.addEventListener('abort', () => reject(init.signal?.reason))
        if (response) resolve(response)
      })

  test('reads no more of an answer than it needs, and lets go of the rest', async () => {
    let sent = 0
    let isCancelled = false
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 16_384
        controller.enqueue(new Uint8Array(16_384).fill(65))
      },
      cancel() {
        isCancelled = true
      },
    })
    const answer = await callWith(answering(new Response(endless, { status: 400 })))
    expect('body' in answer && answer.body.length).toBeLessThan(128 * 1024)
    expect(sent).toBeLessThan(256 * 1024)
    expect(isCancelled).toBe(true)
  })

  test('an error whose page breaks off is still that error; a success that breaks off is in doubt', async () => {
    const broken = () =>
      new ReadableStream<Uint8Array>({
        pull(controller) {
          controller.error(new TypeError('terminated'))
        },
      })
    expect(await callWith(answering(new Response(broken(), { status: 413 })))).toMatchObject({ status: 413, body: '' })
    expect(await callWith(answering(new Response(broken(), { status: 200 })))).toEqual({
      ...{ failure: 'network', reason: 'no answer: network error' },
    })
  })

  test('is cut off after its time, body included, and by a stop', async () => {
    const waiting = callWith(answering())
    await time.advance(1_000)
    expect(await waiting).toMatchObject({ failure: 'timeout' })
    const stopping = callWith(answering())
    stop.abort()
    expect(await stopping).toMatchObject({ failure: 'stopped' })
    expect(await callWith(answering())).toMatchObject({ failure: 'stopped' })
  })
})
