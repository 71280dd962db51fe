import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readBlocks } from '../support/docs/blocks.ts'
import { type Followed, followPage } from './support/follow-page.ts'

const PAGE = 'demo/relay-worker/README.md'
const WAIT = { timeout: 60_000, interval: 200 }

if (!existsSync('dist/index.js')) throw new Error('There is nothing to pack: run `npm run build` first.')

describe(`${PAGE}, followed to the letter`, () => {
  let followed: Followed
  beforeAll(async () => {
    followed = await followPage(PAGE, ['8787', '8789'])
  }, 240_000)
  afterAll(() => followed?.close(), 60_000)

  it('ends with the event in the ledger of the stand-in, once, and in the relay’s', async () => {
    const ledger = JSON.parse(followed.said) as { streams: { stream: string; account: string }[] }
    expect(ledger).toMatchObject({ totals: { recorded: 1, received: 1, missing: 0 } })
    expect(ledger.streams).toMatchObject([{ account: 'acct-1', received: 1 }])
    const id = `${ledger.streams[0]?.stream}-0`
    const standIn = () => followed.terminals[0]?.printed() ?? ''
    await expect.poll(standIn, WAIT).toContain(id)
    const rows = [...standIn().matchAll(/^api-calls (\{.*\})$/gm)].map(([, row = '']) => JSON.parse(row))
    const shown = readBlocks(PAGE).find(({ code }) => code.startsWith('api-calls '))?.code ?? ''
    const when = expect.stringMatching(/^[\d-]+T[\d:]+Z$/)
    const row = JSON.parse(shown.slice('api-calls '.length))
    expect(rows).toEqual([{ ...row, UsageIdentifier: id, UsageDate: when }])
    const answer = await fetch(`http://127.0.0.1:${followed.ports['8789']}/_standin/ledger`)
    expect(await answer.json()).toMatchObject({ meters: { 'api-calls': { billable: 1, duplicates: 0 } } })
  })

  it('has a console, from the static assets, and nothing else of them', async () => {
    const url = `http://127.0.0.1:${followed.ports['8787']}`
    for (const [path, found] of [
      ['/console', '<title>metertap'],
      ['/console/page.js', 'uPlot'],
      ['/console/page.css', 'uPlot'],
    ] as const) {
      const response = await fetch(`${url}${path}`)
      expect(response.status, path).toBe(200)
      expect(response.headers.get('content-security-policy'), path).toContain("default-src 'none'")
      expect(await response.text()).toContain(found)
    }
    for (const path of ['/', '/page', '/page.html', '/page.js']) {
      expect((await fetch(`${url}${path}`)).status, path).toBe(404)
    }
    const headers = { Origin: url, 'Content-Type': 'application/json' }
    const login = (key: string) =>
      fetch(`${url}/console/login`, { method: 'POST', headers, body: JSON.stringify({ key }) })
    expect((await login('guess')).status).toBe(401)
    const secrets = readFileSync(join(followed.folder, '.env.relay'), 'utf8')
    expect((await login(/^METERTAP_ADMIN_KEY=(.*)$/m.exec(secrets)?.[1] ?? '')).status).toBe(200)
  })
})

it('the page shows the very files that stand beside it', () => {
  const shown = (title: string) =>
    readBlocks(PAGE)
      .find((block) => block.title === title)
      ?.code.trimEnd()
  const beside = (name: string) => readFileSync(join('demo/relay-worker', name), 'utf8').trimEnd()
  const worker = beside('worker.ts').replace(/^\/\/ In a project of your own.*\n/m, '')
  expect(shown('worker.ts')).toBe(worker.replace('../../src/relay-worker.ts', 'metertap/relay-worker'))
  const config = beside('wrangler.jsonc').replace('../../node_modules/', 'node_modules/')
  expect(shown('wrangler.jsonc')).toBe(config.replace('../../dist/', 'node_modules/metertap/dist/'))
})
