import { describe, expect, test } from 'vitest'
import { backoffMs, parseRetryAfter } from '../../src/relay/forward/backoff.ts'
import { classify } from '../../src/relay/forward/classify.ts'

const NOW_MS = Date.UTC(2026, 10, 23, 12)

function kindOf(status: number, body: unknown, headers: Record<string, string> = {}) {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return classify({ status, headers: new Headers(headers), body: text }, NOW_MS)
}

describe('classify', () => {
  test.each<[number, unknown, string]>([
    [200, { success: true, message: 'ok' }, 'accepted'],
    [202, { success: true }, 'accepted'],
    [200, { success: false, message: 'no' }, 'refused'],
    // A 200 that does not say so is no acceptance: taking it for one would lose the events.
    [200, '', 'later'],
    [200, '<html>Welcome to the hotel</html>', 'later'],
    [200, { message: 'ok' }, 'later'],
    [200, { success: 'true' }, 'later'],
    [200, 'null', 'later'],
    [204, '', 'later'],
    [400, { success: false, reasons: [{ code: 53100320, message: 'x' }] }, 'refused'],
    [400, '<html>Bad Request</html>', 'refused'],
    [400, '', 'refused'],
    [422, { message: 'x' }, 'refused'],
    [401, { error: 'invalid_token' }, 'unauthorized'],
    [403, '', 'blocked'],
    [404, '', 'blocked'],
    [405, '', 'blocked'],
    [415, '', 'blocked'],
    [413, '', 'too_large'],
    [408, '', 'later'],
    [409, '', 'later'],
    [425, '', 'later'],
    [429, '', 'later'],
    [500, { success: true }, 'later'],
    [502, '<html>', 'later'],
    [503, '', 'later'],
    [504, '', 'later'],
    [599, '', 'later'],
    [301, '', 'blocked'],
    [307, '', 'blocked'],
    [0, '', 'blocked'],
  ])('%i %j → %s', (status, body, kind) => {
    expect(kindOf(status, body).kind).toBe(kind)
  })

  test.each<[string, number[], string]>([
    ['locking', [53100350], 'later'],
    ['internal error', [53100360], 'later'],
    ['temporary error', [53100361], 'later'],
    ['request limit', [53100370], 'later'],
    ['several of the moment', [53100350, 53100361], 'later'],
    ['one of the moment, one of the data', [53100350, 53100320], 'refused'],
    ['permission', [53100310], 'blocked'],
    ['authentication', [90000011], 'blocked'],
    ['no published code', [1450], 'refused'],
  ])('a 400 or a false success speaks by its codes: %s', (_, codes, kind) => {
    const reasons = codes.map((code) => ({ code, message: 'm' }))
    expect(kindOf(400, { success: false, reasons }).kind).toBe(kind)
    expect(kindOf(200, { success: false, reasons }).kind).toBe(kind)
  })

  test('messages go into the detail, codes only into the reason', () => {
    expect(kindOf(400, { reasons: [{ code: 53100320, message: 'private 1' }], message: 'private 2' })).toEqual({
      ...{ kind: 'refused', reason: 'HTTP 400 (53100320)', detail: 'private 1 private 2' },
    })
    expect(kindOf(400, { error: 'invalid_request', error_description: 'private' })).toEqual({
      ...{ kind: 'refused', reason: 'HTTP 400 (invalid_request)', detail: 'private' },
    })
    expect(kindOf(400, { error: 'text with private data' })).toMatchObject({ reason: 'HTTP 400', detail: 'HTTP 400' })
    expect(kindOf(400, { reasons: 'odd', message: 7 })).toMatchObject({ reason: 'HTTP 400' })
  })

  test('waits as long as it is told', () => {
    expect(kindOf(429, '', { 'Retry-After': '7' })).toMatchObject({ kind: 'later', afterMs: 7_000 })
    expect(kindOf(503, '', { 'Retry-After': new Date(NOW_MS + 9_000).toUTCString() })).toMatchObject({ afterMs: 9_000 })
    expect(kindOf(500, '')).toMatchObject({ afterMs: 0 })
  })

  test('a used-up rate limit lasts as long as its headers say, when they do not say when to retry', () => {
    expect(kindOf(429, '', { 'ratelimit-reset': '12' })).toMatchObject({ afterMs: 12_000 })
    expect(kindOf(429, '', { 'ratelimit-reset': '12', 'Retry-After': '3' })).toMatchObject({ afterMs: 3_000 })
    expect(kindOf(503, '', { 'ratelimit-reset': '12' })).toMatchObject({ afterMs: 0 })
  })

  test('no answer: in doubt, certainly not sent, or stopped', () => {
    const later = { kind: 'later', afterMs: 0, reason: 'r' }
    expect(classify({ failure: 'timeout', reason: 'r' }, 0)).toEqual({ ...later, inDoubt: true })
    expect(classify({ failure: 'network', reason: 'r' }, 0)).toEqual({ ...later, inDoubt: true })
    expect(classify({ failure: 'unreachable', reason: 'r' }, 0)).toEqual({ ...later, inDoubt: false })
    expect(classify({ failure: 'stopped', reason: 'r' }, 0)).toEqual({ kind: 'stopped', reason: 'r' })
  })

  test.each<[number, unknown, boolean]>([
    [429, {}, false],
    [500, {}, true],
    [503, {}, true],
    [408, {}, true],
    [200, 'a page', true],
    [400, { reasons: [{ code: 53100350 }] }, true],
  ])('HTTP %i with %j: in doubt is %j', (status, body, inDoubt) => {
    expect(kindOf(status, body)).toMatchObject({ kind: 'later', inDoubt })
  })
})

describe('parseRetryAfter', () => {
  test.each<[string | null, number]>([
    [null, 0],
    ['', 0],
    ['0', 0],
    ['120', 120_000],
    [' 5 ', 5_000],
    ['1.5', 1_500],
    ['-5', 0],
    ['soon', 0],
    ['999999999', 3_600_000],
    [new Date(NOW_MS + 30_000).toUTCString(), 30_000],
    [new Date(NOW_MS - 30_000).toUTCString(), 0],
  ])('%j → %i ms', (header, ms) => {
    expect(parseRetryAfter(header, NOW_MS)).toBe(ms)
  })
})

describe('backoffMs', () => {
  test('is full jitter from 1 s, doubling, capped at 60 s, on top of what was asked for', () => {
    const highest = [0, 1, 2, 5, 6, 50, 5_000].map((failures) => backoffMs(failures, () => 0.999_999))
    expect(highest).toEqual([999, 1_999, 3_999, 31_999, 59_999, 59_999, 59_999])
    expect(backoffMs(6, () => 0)).toBe(0)
    expect(backoffMs(0, () => 0.5, 7_000)).toBe(7_500)
  })
})
