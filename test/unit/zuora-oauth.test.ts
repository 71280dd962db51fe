import { expect, test } from 'vitest'
import { askToken, CLIENT, post, ready, rowOf, start, tokenOf } from '../support/zuora-stand-in.ts'

test('grants a token that opens the usage endpoint', async () => {
  const standIn = await start()
  const answer = await askToken(standIn)
  const body = (await answer.json()) as Record<string, unknown>
  expect(answer.status).toBe(200)
  expect(body).toMatchObject({ token_type: 'bearer', expires_in: 3_599, scope: expect.any(String) })
  expect(body.jti).toEqual(expect.any(String))
  expect((await post(standIn, String(body.access_token), rowOf('e-1'))).status).toBe(200)
  expect(standIn.ledger).toMatchObject({ tokenRequests: 1, tokenGrants: 1 })
})

test.each<[string, number, Record<string, string> | string, Record<string, string>]>([
  ['an Authorization header', 400, {}, { authorization: 'Basic eDp5' }],
  ['a JSON body', 400, '{}', { 'content-type': 'application/json' }],
  ['another grant type', 400, { grant_type: 'password' }, {}],
  ['a missing secret', 400, 'grant_type=client_credentials&client_id=relay', {}],
  [
    'a doubled parameter',
    400,
    'grant_type=client_credentials&client_id=relay&client_id=relay&client_secret=a-secret',
    {},
  ],
  ['a wrong secret', 401, { client_secret: 'no' }, {}],
  ['an unknown client', 401, { client_id: 'no' }, {}],
])('refuses %s', async (_, status, form, headers) => {
  const standIn = await start()
  expect((await askToken(standIn, form, headers)).status).toBe(status)
  expect(standIn.ledger).toMatchObject({ tokenRequests: 1, tokenGrants: 0 })
})

test('refuses parameters in the query', async () => {
  const standIn = await start()
  const form = `grant_type=client_credentials&client_id=${CLIENT.clientId}&client_secret=${CLIENT.clientSecret}`
  const answer = await fetch(`${standIn.url}/oauth/token?${form}`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: form,
  })
  expect(answer.status).toBe(400)
})

test('a token ends after its life', async () => {
  let nowMs = 0
  const { send } = await ready({ now: () => nowMs, tokenLifeS: 10 })
  nowMs = 9_999
  expect((await send(rowOf('e-1'))).status).toBe(200)
  nowMs = 10_000
  expect((await send(rowOf('e-2'))).status).toBe(401)
})

test('revoked tokens are worthless, new ones are not', async () => {
  const { standIn, send } = await ready()
  standIn.revokeTokens()
  expect((await send(rowOf('e-1'))).status).toBe(401)
  expect((await post(standIn, await tokenOf(standIn), rowOf('e-1'))).status).toBe(200)
})

test.each(['', 'Bearer', 'Basic abc', 'Bearer made-up', 'bearer '])(
  'answers 401 to Authorization %j',
  async (value) => {
    const { standIn, send } = await ready()
    expect((await send(rowOf('e-1'), { headers: { authorization: value } })).status).toBe(401)
    expect(standIn.ledger.totals('calls')).toMatchObject({ calls: 1, billable: 0 })
  },
)

test('limits token requests by address', async () => {
  const standIn = await start({ limits: { tokensPerMinutePerIp: 2 } })
  expect((await askToken(standIn)).status).toBe(200)
  expect((await askToken(standIn, { client_secret: 'no' })).status).toBe(401)
  const answer = await askToken(standIn)
  expect(answer.status).toBe(429)
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
})

test('a client without Run Meters gets 403', async () => {
  const { send } = await ready({ clients: [{ ...CLIENT, runMeters: false }] })
  expect((await send(rowOf('e-1'))).status).toBe(403)
})
