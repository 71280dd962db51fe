import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { PROBLEMS } from '../../src/relay/problem.ts'
import { defineMeter } from '../../src/relay.ts'
import { WIRE_VERSION } from '../../src/wire/contract.ts'
import { type Example, examplesIn } from '../support/protocol-page.ts'
import { openTestRelay, route, type TestRelay } from '../support/relay-fixture.ts'

const page = readFileSync('docs/wire-protocol.md', 'utf8')
const examples = examplesIn(page)
const apiCalls = defineMeter('api_calls', z.object({ feature: z.string(), quantity: z.int().positive() }))
const storage = defineMeter('storage', z.object({ bytes: z.number() }))

let relay: TestRelay
/** What stands for each placeholder of the page. */
let stands: Record<string, string>

beforeAll(async () => {
  relay = await openTestRelay({ meters: [route(apiCalls), route(storage)], origins: ['https://app.example.com'] })
  const grant = await relay.grant({ meters: ['api_calls'] })
  stands = {
    '<grant>': grant,
    '<same grant>': grant,
    '<token>': await relay.token(['api_calls']),
    '<slow token>': await tokenFor(await relay.grant({ device: 'slow', ratePerMinute: 1 })),
  }
})
afterAll(() => relay.close())

async function tokenFor(grant: string): Promise<string> {
  const headers = { 'Content-Type': 'application/json' }
  const answer = await relay.request('/v1/token', { method: 'POST', headers, body: JSON.stringify({ grant }) })
  return ((await answer.json()) as { token: string }).token
}

function fill(text: string): string {
  return text.replaceAll(/<(same grant|grant|slow token|token)>/g, (name) => stands[name] ?? name)
}

function ask({ method, path, headers, body }: Example, packed?: Uint8Array<ArrayBuffer>): Promise<Response> {
  const filled = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, fill(value)]))
  return relay.request(path, {
    method,
    headers: packed ? { ...filled, 'Content-Encoding': 'gzip' } : filled,
    ...(method === 'POST' && { body: packed ?? fill(body) }),
  })
}

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** The page's answer as a pattern, byte for byte: `<token>` is any text without quotes. */
function pattern(body: string): RegExp {
  return new RegExp(`^${body.split('<token>').map(escaped).join('[^"]+')}$`)
}

describe('the examples of docs/wire-protocol.md', () => {
  test('are there', () => expect(examples.length).toBeGreaterThan(10))

  test.each(examples.map((example) => [example.title, example] as const))('%s', async (_, example) => {
    const answer = await ask(example)
    const { status, headers, body } = example.answer
    expect(answer.status).toBe(status)
    for (const [name, value] of Object.entries(headers)) expect(answer.headers.get(name), name).toBe(value)
    expect(await answer.text()).toMatch(pattern(body))
  })

  test('a batch compressed by gzip is the same batch', async () => {
    const [batch] = examples.filter(({ path, answer }) => path === '/v1/events' && answer.status === 200)
    const answer = await ask(batch as Example, new Uint8Array(gzipSync(fill(batch?.body ?? ''))))
    expect(await answer.json()).toMatchObject({ rejected: [] })
  })

  test('are in the ledger as the page says', async () => {
    const [row] = await relay.relay.store.ledger({ stream: '0192d3a0-7b1c-7def-8abc-0123456789ab' })
    expect(row).toMatchObject({ recorded: 9, received: 5, rejected: 2, declared: { outbox_full: 2 }, missing: 0 })
    const [other] = await relay.relay.store.ledger({ stream: '0192d3a0-7b1c-7def-8abc-0123456789ac' })
    expect(other).toMatchObject({ received: 3, deduplicated: 1 })
  })
})

describe('the tables of docs/wire-protocol.md', () => {
  test('name every refusal with its status', () => {
    const rows = page.split('\n').filter((line) => line.startsWith('| '))
    for (const [code, [status]] of Object.entries(PROBLEMS)) {
      const isThere = rows.some((row) => row.split('|')[1]?.includes(String(status)) && row.includes(`\`${code}\``))
      expect(isThere, `${status} ${code}`).toBe(true)
    }
  })

  test('are of the version that is spoken', () => expect(page).toContain(`# The wire, version ${WIRE_VERSION}`))
})

test('a page whose blocks are no pairs is refused', () => {
  expect(() => examplesIn('```http\nGET /livez\n```\n')).toThrow('Example 1 is no request and answer.')
})
