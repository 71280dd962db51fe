import { existsSync } from 'node:fs'
import { cp, readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
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

  it('passes a strict TypeScript, with the declarations of its dependencies', async () => {
    await consumer.run(process.execPath, [tool('../typescript7/bin/tsc'), '-p', 'tsconfig.json'])
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
