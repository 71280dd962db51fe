import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { startElectronPage } from '../../src/agent/electron/renderer.ts'
import { BRIDGE_VERSION } from '../../src/bridge/contract.ts'
import { browserRuntime } from '../../src/runtime/browser.ts'
import { type HttpRelay, serveRelay } from '../support/http-relay.ts'
import { TinyRelay } from '../support/tiny-relay.ts'
import { ForkedMain, type ForkedWindow } from './support/forked-main.ts'
import { calls, clicks } from './support/meters.ts'

const KILLS = process.env.METERTAP_LONG ? 100 : 8
const FRAME = { origin: 'app://acme', url: 'app://acme/index.html' }

let relay: TinyRelay
let server: HttpRelay
let userData: string
let main: ForkedMain | undefined

async function startMain(): Promise<ForkedMain> {
  main = await ForkedMain.start({ userData, relay: server.url, allowedOrigins: ['app://acme'] })
  return main
}

function openPage(window: ForkedWindow) {
  const port = { version: BRIDGE_VERSION, call: (message: unknown) => window.invoke(message) }
  const runtime = { ...browserRuntime(), onLifecycle: () => () => {} }
  return startElectronPage({ meters: [calls, clicks] }, { port, runtime })
}

const numbers = (meter: string) =>
  [...relay.events.values()].flatMap((event) => {
    const [name, , { n }] = event as [string, number, { n: number }]
    return name === meter ? [n] : []
  })

beforeEach(async () => {
  relay = new TinyRelay()
  server = await serveRelay(relay.fetch)
  userData = await mkdtemp(join(tmpdir(), 'metertap-electron-'))
})

afterEach(async () => {
  await main?.kill()
  await server.close()
  await rm(userData, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
})

describe('the main process is killed', () => {
  it(`at ${KILLS} random moments: what was durable arrives, once, sums of open windows too`, {
    timeout: 600_000,
  }, async () => {
    const durable: string[] = []
    let n = 0
    let clicked = 0
    let clickedDurably = 0
    for (let round = 0; round < KILLS; round++) {
      const process = await startMain()
      const agent = openPage(process.openWindow(FRAME))
      let isAlive = true
      const kill = sleep(Math.random() * 300).then(async () => {
        await process.kill()
        isAlive = false
      })
      while (isAlive) {
        const receipt = agent.record(calls, { n: n++ })
        if (receipt.error) throw receipt.error
        void receipt.durable.then(
          () => durable.push(receipt.id),
          () => {},
        )
        clicked++
        void agent.record(clicks, { n: 1 }).durable.then(
          () => clickedDurably++,
          () => {},
        )
        await sleep(Math.random() * 5)
      }
      await kill
    }
    expect(durable.length).toBeGreaterThan(KILLS)
    const last = await startMain()
    await vi.waitFor(
      async () => {
        await last.flush()
        expect(durable.filter((id) => !relay.events.has(id))).toEqual([])
        expect(numbers('clicks').reduce((sum, value) => sum + value, 0)).toBeGreaterThanOrEqual(clickedDurably)
      },
      { timeout: 60_000, interval: 200 },
    )
    const seen = numbers('calls')
    expect(new Set(seen).size).toBe(seen.length)
    expect(relay.conflicts).toEqual([])
    expect(numbers('clicks').reduce((sum, value) => sum + value, 0)).toBeLessThanOrEqual(clicked)
  })

  it('quit waits for what is to be sent, and the process ends by itself', async () => {
    const process = await startMain()
    const window = process.openWindow(FRAME)
    const agent = openPage(window)
    const receipts = [1, 2, 3].map((n) => agent.record(calls, { n }))
    await Promise.all(receipts.map(({ durable }) => durable))
    window.gone('close')
    expect(await process.quit()).toBe(0)
    expect(numbers('calls')).toEqual([1, 2, 3])
  })

  it('two main processes share a folder: each event arrives once', async () => {
    const [one, two] = [await startMain(), await startMain()]
    const agents = [one, two].map((process) => openPage(process.openWindow(FRAME)))
    const receipts = agents.flatMap((agent, of) =>
      Array.from({ length: 200 }, (_, n) => agent.record(calls, { n: of * 1_000 + n })),
    )
    await Promise.all(receipts.map(({ durable }) => durable))
    await vi.waitFor(() => expect(relay.events.size).toBe(400), { timeout: 30_000, interval: 100 })
    expect(relay.conflicts).toEqual([])
    await one.kill()
  })
})
