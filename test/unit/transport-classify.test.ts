import { describe, expect, test } from 'vitest'
import { classify } from '../../src/transport/classify.ts'
import { retryAfterMs } from '../../src/transport/retry-after.ts'

const NOW = Date.parse('2026-03-31T10:00:00Z')
const DAY_MS = 86_400_000
const good = { received: { s: [[0, 4]] }, rejected: [], retry: [], serverTime: NOW }
const problem = { type: 'urn:metertap:problem:no', title: 'No', status: 400, detail: 'Mend it.', code: 'own_code' }
const outcome = (status: number, body: unknown = '', retryAfter: string | null = null) =>
  classify({ status, retryAfter, body: typeof body === 'string' ? body : JSON.stringify(body) }, NOW)

describe('classify', () => {
  test('only a 2xx with an answer of this protocol removes events', () => {
    expect(outcome(200, good)).toEqual({ kind: 'answered', answer: good })
  })

  test.each<[string, number, unknown]>([
    ['200 with HTML', 200, '<html>Sign in to the hotel network</html>'],
    ['200 with nothing', 200, ''],
    ['204', 204, ''],
    ['200 with other JSON', 200, { ok: true }],
    ['200 with null', 200, null],
    ['200 with an answer that lacks a list', 200, { ...good, rejected: undefined }],
    ['200 with ranges of the wrong shape', 200, { ...good, received: { s: [[0]] } }],
    ['200 with negative numbers', 200, { ...good, received: { s: [[-1, 4]] } }],
  ])('%s is no answer: later', (_, status, body) => {
    expect(outcome(status, body)).toMatchObject({ kind: 'later', delayMs: 0, code: 'bad_answer' })
  })

  test('what is wrong with an answer is named by its place', () => {
    const wrong = { ...good, received: { s: [[0, 'x']] } }
    expect(outcome(200, wrong)).toMatchObject({
      detail: expect.stringMatching(/address\. Wrong in it: received\.s\.0\.1\.$/),
    })
    expect(outcome(200, '<html>')).toMatchObject({ detail: expect.stringMatching(/address\.$/) })
  })

  test('an answer may hold more than is known today', () => {
    expect(outcome(200, { ...good, future: 1 }).kind).toBe('answered')
  })

  test.each([301, 302, 303, 307, 308, 304, 400, 402, 403, 404, 405, 409, 410, 415, 422, 451, 0])(
    '%i is refused, with a code of its own',
    (status) => {
      expect(outcome(status)).toMatchObject({ kind: 'refused', status, code: `http_${status}` })
    },
  )

  test('a refusal’s problem+json speaks', () => {
    expect(outcome(400, problem)).toEqual({ kind: 'refused', status: 400, code: 'own_code', detail: 'Mend it.' })
  })

  test.each(['<html>', '{"code":1}', ''])('a body that is no problem (%j) is not repeated', (body) => {
    expect(outcome(400, body)).toMatchObject({ code: 'http_400', detail: 'The relay answered with status 400.' })
  })

  test('401 is about the token', () => {
    expect(outcome(401, problem)).toEqual({ kind: 'unauthorized', detail: 'Mend it.' })
    expect(outcome(401).kind).toBe('unauthorized')
  })

  test('413 asks for less', () => {
    expect(outcome(413)).toEqual({ kind: 'too-large' })
  })

  test.each([408, 425, 429, 500, 501, 502, 503, 504, 520, 529, 599])(
    '%i is later, and when is the server’s word',
    (status) => {
      expect(outcome(status)).toMatchObject({ kind: 'later', delayMs: 0, code: `http_${status}` })
      expect(outcome(status, problem, '7')).toEqual({
        kind: 'later',
        delayMs: 7_000,
        code: 'own_code',
        detail: 'Mend it.',
      })
    },
  )

  test('no status, with whatever body, drops an event', () => {
    for (let status = 0; status <= 999; status++) {
      const { kind } = outcome(status, problem)
      expect(['later', 'refused', 'unauthorized', 'too-large'], `status ${status}`).toContain(kind)
    }
  })
})

describe('Retry-After', () => {
  test.each<[string | null, number]>([
    [null, 0],
    ['', 0],
    ['0', 0],
    ['120', 120_000],
    [' 5 ', 5_000],
    ['Tue, 31 Mar 2026 10:01:00 GMT', 60_000],
    ['Tue, 31 Mar 2026 09:00:00 GMT', 0],
    ['soon', 0],
    ['-5', 0],
    ['1.5', 0],
    ['NaN', 0],
    ['Infinity', 0],
    ['86400', DAY_MS],
    ['86401', DAY_MS],
    ['9'.repeat(400), DAY_MS],
    ['Tue, 31 Mar 2099 10:00:00 GMT', DAY_MS],
  ])('%j is %i ms', (header, delayMs) => {
    expect(retryAfterMs(header, NOW)).toBe(delayMs)
  })
})
