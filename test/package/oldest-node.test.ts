import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Billing, startBilling } from './support/billing.ts'
import { type Consumer, openConsumer, tool } from './support/consumer.ts'

/** What SQLite keeps, and what runs on Node alone: there versions of Node differ. */
const SUITES = [
  'test/contract/agent.node.test.ts',
  'test/contract/outbox.sqlite.test.ts',
  'test/contract/relay-store.sqlite.test.ts',
  'test/unit/outbox-node.test.ts',
  'test/unit/runtime-node.test.ts',
]
const WAIT = { timeout: 30_000, interval: 200 }

let folder: string
let consumer: Consumer
let billing: Billing
/** The oldest Node that the package says it runs on. */
let node: string

beforeAll(async () => {
  const { engines } = JSON.parse(await readFile('package.json', 'utf8')) as { engines: { node: string } }
  const oldest = /^>=(\d+\.\d+)$/.exec(engines.node)?.[1] ?? ''
  folder = await mkdtemp(join(tmpdir(), 'metertap-oldest-node-'))
  node = join(folder, 'node_modules/node/bin/node')
  consumer = await openConsumer(node)
  const manifest = { private: true, dependencies: { node: `${oldest}.0` }, allowScripts: { node: true } }
  await writeFile(join(folder, 'package.json'), JSON.stringify(manifest))
  await consumer.run('npm', ['install', '--prefix', folder, '--prefer-offline', '--no-audit', '--loglevel=error'])
  expect(await consumer.run(node, ['--version'])).toBe(`v${oldest}.0\n`)
  billing = await startBilling(consumer)
}, 300_000)
afterAll(async () => {
  await billing?.close()
  await consumer?.close()
  await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
})

describe('the oldest Node that the package allows', () => {
  it.each(['node/record.mjs', 'node/record.cjs'])('runs the relay, and %s, whose event is billed', async (script) => {
    const environment = { RELAY: billing.relayUrl, GRANT_SECRET: billing.grantSecret }
    const { id, durability } = JSON.parse(await consumer.run(node, [script], environment)) as Record<string, string>
    expect(durability).toBe('process')
    await expect.poll(() => billing.billed(), WAIT).toContain(id)
  })

  it('keeps what agent, outbox and store promise on Node', async () => {
    const root = tool('../..')
    await consumer.run(node, [tool('../vitest/vitest.mjs'), 'run', '--root', root, '--project', 'unit', ...SUITES])
  }, 300_000)
})
