import { expect, test } from 'vitest'
import type { Fault } from '../../src/zuora-stand-in/contract.ts'
import { createFaultEngine } from '../../src/zuora-stand-in/faults.ts'
import { askToken, METER, post, ready, rowOf, rowsOf, start, tokenOf } from '../support/zuora-stand-in.ts'

const STATUS = ['status'] as const
const USAGE = { on: 'usage', meter: 'calls' } as const

test('a rule hits as often as it says, after those it lets pass', () => {
  const engine = createFaultEngine(1, [{ kind: 'status', status: 503, skip: 2, times: 2 }])
  const hits = Array.from({ length: 6 }, () => engine.take(USAGE, STATUS) !== undefined)
  expect(hits).toEqual([false, false, true, true, false, false])
  expect(engine.list()).toMatchObject([{ hits: 2, left: 0 }])
})

test('a rule hits its own meter and endpoint only', () => {
  const engine = createFaultEngine(1, [
    { kind: 'status', status: 500, meter: 'other' },
    { kind: 'status', status: 501, on: 'token' },
    { kind: 'status', status: 502 },
  ])
  expect(engine.take(USAGE, STATUS)?.status).toBe(502)
  expect(engine.take({ on: 'usage', meter: 'other' }, STATUS)?.status).toBe(500)
  expect(engine.take({ on: 'token' }, STATUS)?.status).toBe(501)
})

test('probability draws from the seed: the same again, another for another seed', () => {
  const draw = (seed: number): string => {
    const engine = createFaultEngine(seed, [{ kind: 'status', status: 503, probability: 0.3 }])
    return Array.from({ length: 1_000 }, () => (engine.take(USAGE, STATUS) ? 'x' : '.')).join('')
  }
  const drawn = draw(1)
  expect(draw(1)).toBe(drawn)
  expect(draw(2)).not.toBe(drawn)
  const hits = drawn.replaceAll('.', '').length
  expect(hits).toBeGreaterThan(250)
  expect(hits).toBeLessThan(350)
})

test('a wrong rule throws and leaves the rules as they were', () => {
  const engine = createFaultEngine(1, [{ kind: 'status', status: 503 }])
  const wrong = [{ kind: 'status', status: 503, tmies: 1 }] as unknown as Fault[]
  expect(() => engine.set(wrong)).toThrow(/tmies/)
  expect(() => engine.add({ kind: 'status', status: 200 })).toThrow()
  expect(() => createFaultEngine(1, wrong)).toThrow(/tmies/)
  expect(engine.list()).toEqual([{ fault: { kind: 'status', status: 503 }, hits: 0 }])
})

test('status: not stored unless it says so, with the body it names, then all is well', async () => {
  const { standIn, send } = await ready()
  standIn.faults.set([
    { kind: 'status', status: 503, times: 1, body: 'html' },
    { kind: 'status', status: 500, times: 1, body: 'processId', stored: true },
    { kind: 'status', status: 502, times: 1, body: 'empty' },
  ])
  const first = await send(rowOf('e-1'))
  expect([first.status, first.headers.get('content-type')]).toEqual([503, 'text/html'])
  expect(standIn.ledger.totals('calls').billable).toBe(0)
  const second = await send(rowOf('e-1'))
  expect([second.status, await second.json()]).toMatchObject([500, { processId: expect.any(String) }])
  expect(standIn.ledger.totals('calls').billable).toBe(1)
  const third = await send(rowOf('e-2'))
  expect([third.status, await third.text()]).toEqual([502, ''])
  expect((await send(rowOf('e-2'))).status).toBe(200)
  expect(standIn.ledger.calls().map(({ status, fault, billed }) => [status, fault, billed])).toEqual([
    [503, 'status', 0],
    [500, 'status', 1],
    [502, 'status', 0],
    [200, undefined, 1],
  ])
})

test('rate-limit: seconds, an HTTP date, any text, or no header', async () => {
  const nowMs = Date.UTC(2026, 2, 31, 10, 30)
  const { standIn, send } = await ready({ now: () => nowMs })
  standIn.faults.set([
    { kind: 'rate-limit', retryAfter: 7, times: 1 },
    { kind: 'rate-limit', retryAfter: 7, asDate: true, times: 1 },
    { kind: 'rate-limit', retryAfter: 'soon', times: 1 },
    { kind: 'rate-limit', times: 1, body: 'oauth' },
  ])
  const answers = []
  for (let i = 0; i < 4; i++) answers.push(await send(rowOf('e-1')))
  expect(answers.map(({ status, headers }) => [status, headers.get('retry-after')])).toEqual([
    [429, '7'],
    [429, 'Tue, 31 Mar 2026 10:30:07 GMT'],
    [429, 'soon'],
    [429, null],
  ])
  expect(standIn.ledger.totals('calls').billable).toBe(0)
})

test('unauthorized ends all tokens, or none', async () => {
  const { standIn, send } = await ready()
  standIn.faults.set([{ kind: 'unauthorized', times: 1, revoke: false }])
  expect((await send(rowOf('e-1'))).status).toBe(401)
  expect((await send(rowOf('e-1'))).status).toBe(200)
  standIn.faults.set([{ kind: 'unauthorized', times: 1 }])
  expect((await send(rowOf('e-2'))).status).toBe(401)
  expect((await send(rowOf('e-2'))).status).toBe(401)
  expect((await post(standIn, await tokenOf(standIn), rowOf('e-2'))).status).toBe(200)
})

test('redirect names its location', async () => {
  const { standIn, send } = await ready()
  standIn.faults.set([
    { kind: 'redirect', location: 'http://127.0.0.1:9/', times: 1 },
    { kind: 'redirect', location: '/elsewhere', status: 302, times: 1 },
  ])
  const answers = [await send(rowOf('e-1')), await send(rowOf('e-1'))]
  expect(answers.map(({ status, headers }) => [status, headers.get('location')])).toEqual([
    [307, 'http://127.0.0.1:9/'],
    [302, '/elsewhere'],
  ])
})

test('success-false: a 200 that says no, stored or not', async () => {
  const { standIn, send } = await ready()
  standIn.faults.set([
    { kind: 'success-false', times: 1 },
    { kind: 'success-false', stored: true, times: 1 },
  ])
  for (const billable of [0, 1]) {
    const answer = await send(rowOf('e-1'))
    expect([answer.status, await answer.json()]).toMatchObject([200, { success: false }])
    expect(standIn.ledger.totals('calls').billable).toBe(billable)
  }
})

test('answer-lost stores, then the client sees a broken connection', async () => {
  const { standIn, send } = await ready()
  standIn.faults.set([{ kind: 'answer-lost', times: 1 }])
  await expect(send(rowOf('e-1'))).rejects.toThrow()
  expect(standIn.ledger.totals('calls')).toMatchObject({ billable: 1, storedCalls: 1 })
  expect(standIn.ledger.calls()).toMatchObject([{ fault: 'answer-lost', billed: 1 }])
  expect(standIn.ledger.calls()[0]).not.toHaveProperty('status')
})

test('answer-lost in the body: the status arrives, the body does not', async () => {
  const { standIn, send } = await ready()
  standIn.faults.set([{ kind: 'answer-lost', cut: 'body', times: 1 }])
  const answer = await send(rowOf('e-1'))
  expect(answer.status).toBe(200)
  await expect(answer.text()).rejects.toThrow()
  expect(standIn.ledger.totals('calls').billable).toBe(1)
})

test('connection-refused stores nothing', async () => {
  const { standIn, send } = await ready()
  standIn.faults.set([{ kind: 'connection-refused', times: 1 }])
  await expect(send(rowsOf(0, 1_000))).rejects.toThrow()
  expect(standIn.ledger.calls()).toMatchObject([{ fault: 'connection-refused', wireBytes: 0 }])
  expect(standIn.ledger.totals('calls').billable).toBe(0)
  expect((await send(rowOf('e-1'))).status).toBe(200)
})

test('slow before: a retry overtakes the first call, and the late one is the duplicate', async () => {
  const { standIn, send } = await ready()
  standIn.faults.set([{ kind: 'slow', delayMs: 2_000, times: 1 }])
  await expect(send(rowOf('e-1'), { signal: AbortSignal.timeout(60) })).rejects.toThrow()
  expect(standIn.ledger.totals('calls').billable).toBe(0)
  expect((await send(rowOf('e-1'))).status).toBe(200)
  await expect.poll(() => standIn.ledger.totals('calls').deduplicated).toBe(1)
  expect(standIn.ledger.totals('calls').billable).toBe(1)
})

test('slow after: stored at once, answered late; it adds to another fault', async () => {
  const { standIn, send } = await ready()
  standIn.faults.set([
    { kind: 'slow', delayMs: 1_000, when: 'after', times: 2 },
    { kind: 'status', status: 503, skip: 1 },
  ])
  let isAnswered = false
  const answered = (response: Response) => {
    isAnswered = true
    return response
  }
  const startMs = performance.now()
  const first = send(rowOf('e-1')).then(answered)
  await expect.poll(() => standIn.ledger.totals('calls').billable, { interval: 5 }).toBe(1)
  expect(isAnswered).toBe(false)
  expect((await first).status).toBe(200)
  expect(performance.now() - startMs).toBeGreaterThan(990)
  expect((await send(rowOf('e-2'))).status).toBe(503)
  expect(performance.now() - startMs).toBeGreaterThan(1_980)
})

test('too-large counts inflated bytes and rows, and spends itself on what it refuses only', async () => {
  const { standIn, send } = await ready()
  standIn.faults.set([
    { kind: 'too-large', maxRows: 2, times: 1 },
    { kind: 'too-large', maxBytes: 1_000 },
  ])
  expect((await send(rowsOf(0, 2), { gzip: true })).status).toBe(200)
  expect((await send(rowsOf(2, 3), { gzip: true })).status).toBe(413)
  expect((await send(rowsOf(2, 3), { gzip: true })).status).toBe(200)
  expect((await send(rowsOf(5, 20), { gzip: true })).status).toBe(413)
  expect(standIn.ledger.totals('calls').billable).toBe(5)
  expect(standIn.faults.list()).toMatchObject([{ hits: 1, left: 0 }, { hits: 1 }])
})

test('refuse-rows refuses the whole call, or the row alone when partial', async () => {
  const fault: Fault = { kind: 'refuse-rows', where: { field: 'CustomerId', equals: 'C-bad' } }
  const rows = [rowOf('e-1'), rowOf('e-2', { CustomerId: 'C-bad' }), rowOf('e-3')]
  const whole = await ready({ faults: [fault] })
  expect((await whole.send(rows)).status).toBe(400)
  expect(whole.standIn.ledger.totals('calls')).toMatchObject({ billable: 0, refused: 1 })
  expect((await whole.send([rows[0], rows[2]])).status).toBe(200)
  const partial = await ready({ faults: [fault], partial: 'partial' })
  expect((await partial.send(rows)).status).toBe(400)
  expect(partial.standIn.ledger.totals('calls')).toMatchObject({ billable: 2, refused: 1 })
  const later = await ready({ faults: [fault], meters: [{ ...METER, schemaErrors: 'audit' }] })
  expect((await later.send(rows)).status).toBe(200)
  expect(later.standIn.ledger.totals('calls')).toMatchObject({ billable: 2, failedLater: 1 })
})

test('the token endpoint fails too', async () => {
  const standIn = await start({
    faults: [
      { kind: 'connection-refused', on: 'token', times: 1 },
      { kind: 'status', status: 503, on: 'token', times: 1 },
      { kind: 'answer-lost', on: 'token', times: 1 },
    ],
  })
  await expect(askToken(standIn)).rejects.toThrow()
  expect((await askToken(standIn)).status).toBe(503)
  await expect(askToken(standIn)).rejects.toThrow()
  expect((await askToken(standIn)).status).toBe(200)
  expect(standIn.ledger).toMatchObject({ tokenRequests: 4, tokenGrants: 2 })
})

test('close ends waiting calls at once and frees the port', async () => {
  const { standIn, send } = await ready({ faults: [{ kind: 'slow', delayMs: 300 }] })
  const waiting = send(rowOf('e-1')).then(
    () => 'answered',
    () => 'cut',
  )
  await new Promise((resolve) => setTimeout(resolve, 50))
  await standIn.close()
  expect(await waiting).toBe('cut')
  // Longer than the delay: a call that waits on in a closed stand-in would store its row now.
  await new Promise((resolve) => setTimeout(resolve, 400))
  expect(standIn.ledger.totals('calls').billable).toBe(0)
  const again = await start({ port: Number(new URL(standIn.url).port) })
  expect(again.url).toBe(standIn.url)
  await expect(start({ port: Number(new URL(again.url).port) })).rejects.toThrow(/EADDRINUSE/)
})
