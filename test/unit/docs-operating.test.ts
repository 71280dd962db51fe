import { execFile, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { readBlocks } from '../support/docs/blocks.ts'
import {
  ADMIN_KEY,
  batchOf,
  goodEvent,
  NOW_MS,
  openTestRelay,
  STREAM,
  type TestRelay,
} from '../support/relay-fixture.ts'

const PAGE = 'docs/operating.md'
const page = readFileSync(PAGE, 'utf8')
const blocks = readBlocks(PAGE)
const shell = blocks.filter(({ language }) => language === 'sh').map(({ code }) => code)
const commands = shell.flatMap((code) => code.split('\n').filter((line) => line.startsWith('curl ')))
const run = promisify(execFile)
const hasCurl = spawnSync('curl', ['--version']).status === 0

let folder: string
let relay: TestRelay
let environment: NodeJS.ProcessEnv

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'metertap-operating-'))
  relay = await openTestRelay({ admin: { key: ADMIN_KEY, listen: { port: 0 }, backupFolder: folder } })
  const { adminUrl } = await relay.relay.start()
  await relay.send(batchOf([goodEvent(), goodEvent(), goodEvent(), goodEvent()]))
  const parked = await cut()
  await relay.relay.store.parkDelivery(parked, 'no answer', NOW_MS)
  await relay.relay.store.buryDelivery(await cut(), 'refused', 'bad row', NOW_MS)
  const [letter] = await relay.relay.store.deadLetters()
  environment = {
    ...{ PATH: process.env.PATH, METERTAP_ADMIN_KEY: ADMIN_KEY, REAL: adminUrl },
    ...{ STREAM, LANE: 'calls', LETTER: String(letter?.id), PARKED: parked },
  }
}, 60_000)
afterAll(async () => {
  await relay.close()
  rmSync(folder, { recursive: true })
})

/** A delivery of one event. */
async function cut(): Promise<string> {
  const claim = { lane: 'calls', owner: 'test', leaseMs: 1, nowMs: NOW_MS, maxEvents: 1 }
  const draft = { taken: 1, body: new Uint8Array([1]), rows: 1, bytes: 1, unmappable: [] }
  return (await relay.relay.store.openDelivery(claim, () => draft))?.id ?? ''
}

async function metricNames(): Promise<Set<string>> {
  const answer = await relay.adminRequest('/metrics', { headers: { Authorization: `Bearer ${ADMIN_KEY}` } })
  const lines = (await answer.text()).split('\n').filter((line) => line.startsWith('# TYPE metertap_'))
  return new Set(lines.map((line) => line.split(' ')[2] ?? ''))
}

describe.skipIf(!hasCurl)('the commands of docs/operating.md (skipped without curl)', () => {
  test('are many, and their preparation is on the page', () => {
    expect(commands.length).toBeGreaterThan(15)
    expect(shell[0]).toContain('admin.curl')
  })

  test.each(commands)('%s', async (command) => {
    const script = `set -e\n${shell[0]}\nADMIN=$REAL\n${command}`
    const { stdout } = await run('bash', ['-c', script], { cwd: folder, env: environment })
    expect(JSON.parse(stdout)).toBeTypeOf('object')
  })

  test('have done what they say', async () => {
    const { store } = relay.relay
    expect(await store.parkedDeliveries()).toEqual([])
    expect(await store.deadLetters()).toEqual([])
    expect(await store.revocations()).toMatchObject([{ account: 'acme', device: 'laptop' }])
  })
})

describe('the metrics of docs/operating.md', () => {
  const named = new Set(page.match(/metertap_[a-z_]+[a-z]/g)?.filter((name) => name !== 'metertap_admin_key'))

  test('are exported, each of them', async () => {
    const exported = await metricNames()
    for (const name of named) expect(exported.has(name.replace(/_bucket$/, '')), name).toBe(true)
  })

  test('are all that is exported', async () => {
    for (const name of await metricNames()) expect(named.has(name), name).toBe(true)
  })

  test('alerts have a name, an expression and a summary', () => {
    const rules = blocks.flatMap(({ language, code }) =>
      language === 'yaml' ? (parse(code).groups?.[0]?.rules ?? []) : [],
    )
    expect(rules.length).toBeGreaterThan(5)
    for (const { alert, expr, annotations } of rules) {
      expect([alert, expr, annotations.summary].every((text) => typeof text === 'string')).toBe(true)
    }
  })
})
