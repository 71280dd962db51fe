import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeUsageLines, randomFrom } from '../../test/support/usage-lines.ts'

/** Events of one meter, as a product would record them. */
export interface Shape {
  readonly name: string
  readonly meter: string
  readonly events: readonly { readonly atMs: number; readonly data: Readonly<Record<string, unknown>> }[]
}

const START_MS = Date.UTC(2026, 2, 1, 8)
const HOUR_MS = 3_600_000

type Make = (random: () => number, nth: number) => Readonly<Record<string, unknown>>

/** Events every so often, on average, each made from its number and a generator of its shape's own. */
function made(name: string, meter: string, count: number, everyMs: number, make: Make): Shape {
  const random = randomFrom(meter.length * 7_919 + count)
  let atMs = START_MS
  const events = Array.from({ length: count }, (_, nth) => {
    atMs += everyMs >= HOUR_MS ? everyMs : Math.ceil(random() * 2 * everyMs)
    return { atMs, data: make(random, nth) }
  })
  return { name, meter, events }
}

const pick = <T>(random: () => number, list: readonly T[]): T => list[Math.floor(random() ** 2 * list.length)] as T
const whole = (random: () => number, below: number): number => Math.floor(random() ** 3 * below)
const hex = (random: () => number, digits: number): string =>
  Array.from({ length: digits }, () => Math.floor(random() * 16).toString(16)).join('')

const ROUTES = ['/v1/images', '/v1/images/:id', '/v1/exports', '/v1/search', '/v1/users/:id', '/v1/webhooks']
const REGIONS = ['eu-central-1', 'us-east-1', 'us-west-2', 'ap-southeast-2']
const MODELS = ['large-2026-01', 'small-2026-01', 'large-2025-09', 'embed-3']

/** Real requests when they lie beside the project, made-up ones otherwise. */
function webRequests(count: number): Shape {
  const real = join(import.meta.dirname, '../../../shared/data/web-requests.ndjson')
  const isReal = existsSync(real)
  const lines = isReal
    ? readFileSync(real, 'utf8')
        .split('\n', count)
        .map((line) => JSON.parse(line) as ReturnType<typeof makeUsageLines>[number])
    : makeUsageLines(count)
  const events = lines.map(({ at, ...data }) => ({ atMs: Date.parse(at), data }))
  return { name: isReal ? 'web requests (real log)' : 'web requests (made up)', meter: 'web_requests', events }
}

export function makeShapes(count: number): Shape[] {
  return [
    webRequests(count),
    made('API calls', 'api_calls', count, 400, (random) => ({
      route: pick(random, ROUTES),
      method: pick(random, ['GET', 'POST', 'PATCH']),
      status: pick(random, [200, 200, 201, 404, 429]),
      durationMs: whole(random, 3_000),
      quantity: 1,
    })),
    made('storage, GB-hours', 'storage', count, HOUR_MS, (random) => ({
      bucket: `b-${whole(random, 40)}`,
      region: pick(random, REGIONS),
      gbHours: Number((random() * 900).toFixed(3)),
    })),
    made('seats', 'seats', count, 60_000, (random) => ({
      workspace: hex(random, 8),
      plan: pick(random, ['team', 'business', 'enterprise']),
      change: pick(random, ['added', 'removed']),
      seats: 1 + whole(random, 250),
    })),
    made('LLM tokens', 'llm_tokens', count, 1_500, (random) => ({
      request: `req_${hex(random, 24)}`,
      model: pick(random, MODELS),
      inputTokens: whole(random, 120_000),
      outputTokens: whole(random, 8_000),
      cachedTokens: whole(random, 60_000),
    })),
  ]
}
