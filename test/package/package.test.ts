import { existsSync } from 'node:fs'
import { cp, readFile, writeFile } from 'node:fs/promises'
import { type Browser, chromium, type Page } from 'playwright'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CHROMIUM_FLAGS, requireEngine } from '../support/engines.ts'
import { type Billing, startBilling } from './support/billing.ts'
import { type Consumer, openConsumer, tool } from './support/consumer.ts'

const WAIT = { timeout: 30_000, interval: 200 }

let consumer: Consumer
let billing: Billing

beforeAll(async () => {
  if (!existsSync('dist/index.js')) throw new Error('There is nothing to pack: run `npm run build` first.')
  consumer = await openConsumer()
  billing = await startBilling(consumer)
}, 180_000)
afterAll(async () => {
  await billing?.close()
  await consumer?.close()
})

/** Every event with one of these ids is billed, once. */
async function expectBilled(...ids: string[]): Promise<void> {
  await expect
    .poll(async () => (await billing.billed()).filter((id) => ids.includes(id)).sort(), WAIT)
    .toEqual(ids.sort())
}

describe('the packed package', () => {
  it('is what its manifest says, by publint', async () => {
    await consumer.run(tool('publint'), ['run', consumer.tarball, '--strict'])
  })

  it('has types that resolve as its code does, by are-the-types-wrong', async () => {
    // ES modules only: require() of them works in every Node that the package allows.
    await consumer.run(tool('attw'), [consumer.tarball, '--profile', 'esm-only', '--format', 'ascii'])
  })

  it('would be published as it is, by a dry run, with what a user needs and nothing else', async () => {
    const said = await consumer.run('npm', ['publish', consumer.tarball, '--dry-run', '--json', '--loglevel=error'])
    const { files } = JSON.parse(said).metertap as { files: { path: string }[] }
    const paths = files.map(({ path }) => path)
    expect(paths).toEqual(
      expect.arrayContaining(['README.md', 'LICENSE', 'CHANGELOG.md', 'docs/faq.md', 'dist/cli.js']),
    )
    expect(
      paths.filter((path) => !/^(dist|src|docs)\/|^(README|CHANGELOG)\.md$|^LICENSE$|^package\.json$/.test(path)),
    ).toEqual([])
    expect(paths.filter((path) => /^docs\/api|\.db$|\.env|\.test\./.test(path))).toEqual([])
  })

  it('passes a strict TypeScript, with the declarations of its dependencies', async () => {
    await consumer.run(process.execPath, [tool('../typescript7/bin/tsc'), '-p', 'tsconfig.json'])
  })

  it('passes it with the types of Cloudflare Workers', async () => {
    await consumer.run(process.execPath, [tool('../typescript7/bin/tsc'), '-p', 'tsconfig.workers.json'])
  })
})

describe('on Node', () => {
  const environment = () => ({ RELAY: billing.relayUrl, GRANT_SECRET: billing.grantSecret })

  it.each(['node/record.mjs', 'node/record.cjs'])('%s records, and its event is billed', async (script) => {
    const out = await consumer.run(process.execPath, [script], environment())
    const { id, durability } = JSON.parse(out) as { id: string; durability: string }
    expect(durability).toBe('process')
    await expectBilled(id)
  })

  it('a relay serves its console, without anything that builds it', async () => {
    const sizes = JSON.parse(await consumer.run(process.execPath, ['node/console.mjs'])) as Record<string, number>
    expect(Object.keys(sizes)).toEqual(['', '/page.js', '/page.css', '/icon.svg'])
    expect(Math.min(...Object.values(sizes))).toBeGreaterThan(100)
    expect(sizes['/page.js']).toBeGreaterThan(40_000)
  })
})

describe('in a page', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: requireEngine('chromium'), args: CHROMIUM_FLAGS })
  })
  afterAll(() => browser?.close())

  /** Opens the consumer's page; what it says of its receipt, and what the console complained of. */
  async function open(path: string, act = async (_: Page) => {}): Promise<{ said: string[]; complaints: string[] }> {
    const page = await browser.newPage()
    const complaints: string[] = []
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
    page.on('pageerror', (error) => complaints.push(String(error)))
    await page.goto(`${billing.site.url}${path}?relay=${encodeURIComponent(billing.relayUrl)}`)
    await act(page)
    await page.waitForFunction(() => / process$/.test(document.querySelector('output')?.textContent ?? ''))
    const said = (await page.textContent('output'))?.split(' ') ?? []
    await expectBilled(said[0] ?? '')
    await page.close()
    return { said, complaints }
  }

  it('a React application built by vite records once under StrictMode', async () => {
    await consumer.run(tool('vite'), ['build', 'react', '--outDir', '../built', '--base', '/built/', '--emptyOutDir'])
    const { said, complaints } = await open('/built/', (page) => page.click('button'))
    expect(said[1]).toBe('process')
    expect(complaints).toEqual([])
  })

  it('script tags with the integrity that the package tells, under a strict policy', async () => {
    const tags = ['metertap.queue.js', 'metertap.global.js'].map(async (name) => {
      const file = consumer.path('node_modules/metertap/dist', name)
      const { integrity } = JSON.parse(await readFile(`${file}.integrity.json`, 'utf8')) as { integrity: string }
      const wait = name === 'metertap.global.js' ? 'async' : ''
      return `<script ${wait} src="/node_modules/metertap/dist/${name}" integrity="${integrity}"></script>`
    })
    const [queue, library] = await Promise.all(tags)
    const html = `<!doctype html><title>page</title><output></output>${queue}<script src="main.js"></script>${library}`
    await writeFile(consumer.path('script/index.html'), html)
    const { said, complaints } = await open('/script/')
    expect(said[1]).toBe('process')
    expect(complaints).toEqual([])
  })
})

describe('on Cloudflare Workers', () => {
  it('the example is bundled by wrangler as it stands, ready to be deployed', async () => {
    await cp('demo/worker', consumer.path('worker'), { recursive: true })
    const args = ['deploy', '--dry-run', '--outdir', 'out', '--config', 'worker/wrangler.jsonc']
    const said = await consumer.run(tool('wrangler'), args, { WRANGLER_SEND_METRICS: 'false' })
    expect(said).toContain('USAGE_OUTBOX')
    const script = await readFile(consumer.path('worker/out/worker.js'), 'utf8')
    expect(script).toContain('cloudflare:workers')
    expect(script).not.toMatch(/from ["']node:|require\(["']node:/)
  })
})
