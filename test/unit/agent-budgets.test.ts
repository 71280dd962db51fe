import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { describe, expect, test } from 'vitest'
import { encodeBatch } from '../../src/wire/encode-batch.ts'
import { measureBundle } from '../support/bundle-size.ts'
import { makeUsageLines, type UsageLine } from '../support/usage-lines.ts'

const EVENTS = 5_000
/** Events in one request by default. */
const BATCH_EVENTS = 2_000
const GZIP = { level: 6 }

/** Real requests when they lie beside the project, made-up ones otherwise. */
function usageLines(): UsageLine[] {
  const real = resolve('../shared/data/web-requests.ndjson')
  if (!existsSync(real)) return makeUsageLines(EVENTS)
  const lines = readFileSync(real, 'utf8').split('\n', EVENTS)
  return lines.map((line) => JSON.parse(line) as UsageLine)
}

describe('budgets that no machine changes', () => {
  const bundle = measureBundle('src/index.ts')

  test('the wire costs at most a tenth more than gzip of the plain data', () => {
    const lines = usageLines()
    const stream = '018f0000-0000-7000-8000-000000000001'
    const texts = lines.map(({ at, ...data }) => JSON.stringify(['web_requests', Date.parse(at), data]))
    let wireBytes = 0
    for (let first = 0; first < texts.length; first += BATCH_EVENTS) {
      const body = texts.slice(first, first + BATCH_EVENTS).join()
      const reports = [{ id: stream, recorded: texts.length, dropped: {} }]
      const parts = { sentAtMs: 1_700_000_000_000, device: stream, reports, segments: [{ stream, first, body }] }
      wireBytes += gzipSync(encodeBatch(parts), GZIP).length
    }
    // The plain data hold the same facts, the time among them.
    const plainBytes = gzipSync(JSON.stringify(lines), GZIP).length
    expect(wireBytes / plainBytes).toBeLessThanOrEqual(1.1)
  })

  test('the agent’s bundle holds no relay code and nothing of Node, and stays within its size', async () => {
    const { modules, firstBytes, usualBytes, allBytes } = await bundle
    expect(modules.filter((path) => /src\/relay|node:|\/(hono|jose|pino|uuid)\//.test(path))).toEqual([])
    expect(modules.some((path) => path.endsWith('src/agent/sender.ts'))).toBe(true)
    // Before the first record(); the rest is fetched when there is something to send.
    expect(firstBytes).toBeLessThanOrEqual(12_100)
    // As long as nothing is wrong.
    expect(usualBytes).toBeLessThanOrEqual(38_400)
    expect(allBytes).toBeLessThanOrEqual(47_600)
  })

  test('no schema library is in it but the application’s own', async () => {
    expect((await bundle).modules.filter((path) => path.includes('node_modules/zod/'))).toEqual([])
  })

  test('what a page loads first records and stores: it holds nothing that sends', async () => {
    const { firstModules } = await bundle
    expect(firstModules.some((path) => path.endsWith('src/outbox/idb/append.ts'))).toBe(true)
    const other =
      /node_modules\/(ky|zod|idb)\/|src\/(transport|schedule\/drainer|agent\/sender|agent\/exit|outbox\/(memory|core\/claim))/
    expect(firstModules.filter((path) => other.test(path))).toEqual([])
  })

  test('what is needed at times only is in neither of the pieces that record and send', async () => {
    const { modules, usualModules } = await bundle
    const others = ['resilient/hard-times', 'memory/open', 'agent/rollups', 'core/purge', 'dead-letters']
    for (const other of others) {
      expect(
        modules.some((path) => path.includes(other)),
        other,
      ).toBe(true)
      expect(usualModules.filter((path) => path.includes(other))).toEqual([])
    }
  })

  test('the service worker’s bundle holds what sends, and nothing that records', async () => {
    const { modules, allBytes } = await measureBundle('src/service-worker.ts')
    const other =
      /src\/(relay|meter\/encode|agent\/(intake|tail|rollups|sender|exit)|outbox\/(memory|sqlite|resilient))|node:/
    expect(modules.filter((path) => other.test(path))).toEqual([])
    expect(modules.some((path) => path.endsWith('src/agent/drain.ts'))).toBe(true)
    expect(allBytes).toBeLessThanOrEqual(27_300)
  })

  test('React’s part holds its own hooks alone', async () => {
    const { metafile } = await build({
      entryPoints: ['src/react.ts'],
      ...({ bundle: true, format: 'esm', write: false, metafile: true, external: ['react'] } as const),
    })
    const inputs = Object.keys(metafile.inputs)
    expect(inputs.filter((path) => !/^src\/(react|wire\/errors\.ts)/.test(path))).toEqual([])
  })
  test('the inspector’s bundle holds its own room alone and stays within its size; no other entry holds it', async () => {
    const { modules, allBytes } = await measureBundle('src/inspector.ts')
    expect(modules.filter((path) => !/src\/(inspector|wire\/errors\.ts)/.test(path))).toEqual([])
    expect(allBytes).toBeLessThanOrEqual(9_000)
    expect((await bundle).modules.filter((path) => path.includes('src/inspector'))).toEqual([])
  })
})
