import { describe, expect, test } from 'vitest'
import { createTokenSource, jwtExpiryMs } from '../../src/transport/token-source.ts'
import { MetertapError } from '../../src/wire/errors.ts'
import { deferred, failure, fakeClock, settle } from '../support/fake-clock.ts'

const START = 1_700_000_000_000

function jwt(expiresAtMs: number | undefined, name = 'user'): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${part({ alg: 'EdDSA' })}.${part({ sub: `${name}ÿ?>`, exp: expiresAtMs && expiresAtMs / 1_000 })}.c2ln`
}

function setUp(provide: (call: number) => unknown) {
  const clock = fakeClock(START)
  const seen = { calls: 0 }
  const tokens = createTokenSource({
    provide: () => provide(seen.calls++) as string,
    now: clock.now,
    setTimer: clock.setTimer,
  })
  return { clock, seen, tokens }
}

describe('jwtExpiryMs', () => {
  test('reads exp, base64url with all its signs', () => {
    expect(jwtExpiryMs(jwt(START))).toBe(START)
  })

  test.each(['opaque', '', 'a.b.c', `a.${Buffer.from('{"exp":"soon"}').toString('base64url')}.c`, 'a.bnVsbA.c'])(
    '%j has no known end',
    (token) => {
      expect(jwtExpiryMs(token)).toBe(Number.POSITIVE_INFINITY)
    },
  )
})

describe('token source', () => {
  test('asks nobody before a token is needed, and then keeps it', async () => {
    const { seen, tokens } = setUp((call) => jwt(START + 900_000, `call-${call}`))
    expect([seen.calls, tokens.peek()]).toEqual([0, undefined])
    const token = await tokens.get()
    expect(await tokens.get()).toBe(token)
    expect(tokens.peek()).toBe(token)
    expect(seen.calls).toBe(1)
  })

  test('asks once for many callers at a time', async () => {
    const gate = deferred<string>()
    const { seen, tokens } = setUp(() => gate.promise)
    const all = [tokens.get(), tokens.get(), tokens.get()]
    await settle()
    expect(seen.calls).toBe(1)
    gate.resolve('opaque')
    expect(await Promise.all(all)).toEqual(['opaque', 'opaque', 'opaque'])
  })

  test('renews a minute before the end', async () => {
    const { clock, seen, tokens } = setUp((call) => jwt(START + 900_000 * (call + 1)))
    const first = await tokens.get()
    await clock.advance(839_999)
    expect(await tokens.get()).toBe(first)
    await clock.advance(1)
    expect(tokens.peek()).toBeUndefined()
    expect(await tokens.get()).not.toBe(first)
    expect(seen.calls).toBe(2)
  })

  test('invalidate() forgets that token only', async () => {
    const { seen, tokens } = setUp((call) => `token-${call}`)
    const first = await tokens.get()
    tokens.invalidate('another')
    expect(tokens.peek()).toBe(first)
    tokens.invalidate(first)
    expect(tokens.peek()).toBeUndefined()
    const second = await tokens.get()
    tokens.invalidate(first)
    expect(tokens.peek()).toBe(second)
    expect(seen.calls).toBe(2)
  })

  test.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new TypeError('secret-token in a message')
      },
    ],
    ['rejects', () => Promise.reject(new TypeError('secret-token in a message'))],
    ['rejects with no Error', () => Promise.reject('secret-token')],
    ['rejects with nothing', () => Promise.reject(undefined)],
  ])('a provider that %s makes a typed error without its words', async (_, provide) => {
    const { seen, tokens } = setUp(provide)
    const error = await failure(() => tokens.get())
    expect(error).toBeInstanceOf(MetertapError)
    expect(error.code).toBe('token_unavailable')
    expect(`${error.message}${JSON.stringify(error.detail)}`).not.toContain('secret')
    await failure(() => tokens.get())
    expect(seen.calls).toBe(2)
  })

  test.each([undefined, null, 7, {}, '', ' ', 'with space', 'line\nbreak', 'smart”quote', '<!doctype html>\n'])(
    'a provider that gives %j makes a typed error without it',
    async (rubbish) => {
      const { tokens } = setUp(() => rubbish)
      const error = await failure(() => tokens.get())
      expect(error.code).toBe('token_unavailable')
      if (typeof rubbish === 'string' && rubbish.trim()) expect(error.message).not.toContain(rubbish)
      expect(tokens.peek()).toBeUndefined()
    },
  )

  test('a provider that hangs is given up, and the next call asks anew', async () => {
    const late = deferred<string>()
    const { clock, seen, tokens } = setUp((call) => (call === 0 ? late.promise : 'second'))
    const first = failure(() => tokens.get())
    await clock.advance(30_000)
    expect((await first).message).toContain('TimeoutError')
    expect(await tokens.get()).toBe('second')
    late.resolve('too-late')
    await settle()
    expect(tokens.peek()).toBe('second')
    expect(seen.calls).toBe(2)
  })

  test('leaves no timer behind', async () => {
    const { clock, tokens } = setUp(() => 'token')
    await tokens.get()
    await settle()
    expect(clock.pendingMs).toEqual([])
  })
})

describe('token source: a clock that is wrong', () => {
  test('a new token that seems to have ended is used all the same, for a while', async () => {
    let [nowMs, calls] = [50_000_000, 0]
    const source = createTokenSource({
      provide: () => jwt(nowMs - 3_600_000, `user-${calls++}`),
      now: () => nowMs,
      setTimer: () => () => {},
    })
    const token = await source.get()
    expect([await source.get(), source.peek(), calls]).toEqual([token, token, 1])
    nowMs += 30_000
    expect(source.peek()).toBeUndefined()
    await source.get()
    expect(calls).toBe(2)
  })
})
