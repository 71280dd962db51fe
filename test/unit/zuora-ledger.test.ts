import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect, onTestFinished, test } from 'vitest'
import { MeterBook } from '../../src/zuora-stand-in/book.ts'
import type { ZuoraStandIn } from '../../src/zuora-stand-in/contract.ts'
import { CLIENT, FIELDS, METER, ready, rowOf, rowsOf, start, tokenOf } from '../support/zuora-stand-in.ts'

test('knows each billable row by its unique value, also without kept rows', async () => {
  const { standIn, send } = await ready({ keepRows: false })
  await send(rowsOf(0, 3))
  expect([standIn.ledger.has('calls', 'e-2'), standIn.ledger.has('calls', 'e-3')]).toEqual([true, false])
  expect(() => [...standIn.ledger.events('calls')]).toThrow(/keepRows/)
})

test('sums are exact', async () => {
  const { standIn, send } = await ready()
  await send(Array.from({ length: 10 }, (_, i) => rowOf(`e-${i}`, { Quantity: 0.1 })))
  expect(standIn.ledger.totals('calls').sums).toEqual({ Quantity: '1' })
})

test('keeps as many calls and audit entries as it was told', async () => {
  const { standIn, send } = await ready({ keepCalls: 2, keepAudit: 1 })
  for (let i = 0; i < 4; i++) await send(rowOf('e-1', { Quantity: i }))
  expect(standIn.ledger.calls()).toHaveLength(2)
  expect(standIn.ledger.audit()).toMatchObject([{ payload: { Quantity: 3 } }])
  expect(standIn.ledger.totals('calls')).toMatchObject({ calls: 4, deduplicated: 3 })
})

test('meters are apart, and an unknown one has no totals', async () => {
  const { standIn, send } = await ready({ meters: [METER, { ...METER, id: 'other' }] })
  await send(rowOf('e-1'))
  await send(rowOf('e-1'), { meter: 'other' })
  expect(standIn.ledger.totals('calls').billable).toBe(1)
  expect(standIn.ledger.totals('other')).toMatchObject({ calls: 1, billable: 1 })
  expect(standIn.ledger.calls('other')).toHaveLength(1)
  expect(() => standIn.ledger.totals('nobody')).toThrow(RangeError)
})

test('reset forgets the deduplicator too, and keeps the tokens', async () => {
  const { standIn, send } = await ready()
  await send([rowOf('e-1'), rowOf('e-1')])
  standIn.ledger.reset()
  expect(standIn.ledger.snapshot()).toMatchObject({
    tokenGrants: 0,
    calls: [],
    meters: { calls: { calls: 0, billable: 0 } },
  })
  expect(standIn.ledger.audit()).toEqual([])
  expect((await send(rowOf('e-1'))).status).toBe(200)
  expect(standIn.ledger.totals('calls').billable).toBe(1)
})

test('key fields must be required fields', async () => {
  const optional = { ...FIELDS, UsageIdentifier: { type: 'string', required: false } } as const
  await expect(start({ meters: [{ ...METER, fields: optional }] })).rejects.toThrow(/UsageIdentifier/)
  await expect(start({ meters: [{ id: 'm', fields: FIELDS, uniqueField: 'Nope' }] })).rejects.toThrow(/Nope/)
})

test('rows of many calls can still be told one by one', () => {
  const book = new MeterBook({ ...METER, deduplicator: { field: 'UsageIdentifier' } }, true)
  const count = 200_000
  const perCall = 10_000
  for (let from = 0; from < count; from += perCall) {
    const rows = rowsOf(from, perCall)
    const bytes = gzipSync(JSON.stringify(rows))
    book.post({ atMs: 0, rows, accepted: [...rows.keys()], bytes, isGzip: true }, '')
  }
  let seen = 0
  for (const row of book.events()) if (row.UsageIdentifier === `e-${seen}`) seen++
  expect(seen).toBe(count)
  expect(book.totals()).toMatchObject({ billable: count, duplicates: 0, sums: { Quantity: String(count) } })
})

const admin = (standIn: ZuoraStandIn, path: string, init?: RequestInit) =>
  fetch(`${standIn.url}/_standin/${path}`, init)

test('the switchboard sets, adds, lists and clears faults', async () => {
  const { standIn, send } = await ready()
  const put = await admin(standIn, 'faults', { method: 'PUT', body: '[{"kind":"status","status":503,"times":1}]' })
  expect([put.status, await put.json()]).toMatchObject([200, [{ hits: 0, left: 1 }]])
  await admin(standIn, 'faults', { method: 'POST', body: '{"kind":"status","status":500,"times":1}' })
  expect([(await send(rowOf('e-1'))).status, (await send(rowOf('e-1'))).status]).toEqual([503, 500])
  expect(await (await admin(standIn, 'faults')).json()).toMatchObject([{ left: 0 }, { left: 0 }])
  await admin(standIn, 'faults', { method: 'PUT', body: '{"kind":"status","status":502}' })
  expect((await admin(standIn, 'faults', { method: 'DELETE' })).status).toBe(204)
  expect((await send(rowOf('e-1'))).status).toBe(200)
})

test('the switchboard refuses what is no rule', async () => {
  const standIn = await start()
  for (const body of ['{', '{"kind":"sulk"}', '[{"kind":"status","status":503,"time":1}]', '3']) {
    const answer = await admin(standIn, 'faults', { method: 'PUT', body })
    expect([answer.status, await answer.json()]).toEqual([400, { error: expect.any(String) }])
  }
  expect(standIn.faults.list()).toEqual([])
})

test('the switchboard shows and resets the ledger', async () => {
  const { standIn, send } = await ready()
  await send([rowOf('e-1'), rowOf('e-1')])
  expect(await (await admin(standIn, 'ledger')).json()).toEqual(standIn.ledger.snapshot())
  expect(await (await admin(standIn, 'audit?meter=calls')).json()).toEqual(standIn.ledger.audit('calls'))
  expect(standIn.ledger.audit('calls')).toHaveLength(1)
  expect((await admin(standIn, 'ledger', { method: 'DELETE' })).status).toBe(204)
  expect(standIn.ledger.totals('calls').calls).toBe(0)
})

async function reconciler(nowMs: () => number) {
  const { standIn, send } = await ready({ now: nowMs, meters: [{ ...METER, schemaErrors: 'audit' }] })
  const authorization = `Bearer ${await tokenOf(standIn)}`
  const summary = (body: unknown, meter = 'calls') =>
    fetch(`${standIn.url}/meters/${meter}/summary`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  const entries = (query: Record<string, string>) => {
    const window = { queryFromTime: '1970-01-01T00:00:00Z', queryToTime: '2100-01-01T00:00:00Z' }
    const params = new URLSearchParams({ runType: 'NORMAL', exportType: 'ERROR', ...window, ...query })
    return fetch(`${standIn.url}/meters/calls/auditTrail/entries?${params}`, { headers: { authorization } })
  }
  return { standIn, send, summary, entries }
}

test('the summary counts output and errors by what it is grouped by', async () => {
  let nowMs = 0
  const { send, summary } = await reconciler(() => nowMs)
  await send([rowOf('e-1'), rowOf('e-2'), rowOf('e-1'), rowOf('e-3', { Quantity: '' })])
  nowMs = 60_000
  await send(rowOf('e-4'))
  const output = async (body: object) => {
    const answer = (await (await summary({ runType: 'NORMAL', ...body })).json()) as { data: { output: unknown } }
    return answer.data.output
  }
  expect(await output({})).toEqual([{ dimensions: { sessionId: 'R-00000001' }, output: 3, totalErrorCount: 2 }])
  expect(await output({ groupBy: ['operatorId'] })).toEqual([
    { dimensions: { operatorId: 'source' }, output: 3, totalErrorCount: 1 },
    { dimensions: { operatorId: 'deduplicator' }, output: 0, totalErrorCount: 1 },
  ])
  expect(await output({ groupBy: ['errorCode'], queryToTime: '1970-01-01T00:00:59Z' })).toEqual([
    { dimensions: { errorCode: '70000000' }, output: 0, totalErrorCount: 1 },
    { dimensions: { errorCode: '' }, output: 2, totalErrorCount: 0 },
    { dimensions: { errorCode: '79000002' }, output: 0, totalErrorCount: 1 },
  ])
  expect(await output({ operatorIds: ['deduplicator'] })).toMatchObject([{ output: 0, totalErrorCount: 1 }])
  expect(await output({ sessionIds: ['R-00000002'] })).toEqual([])
  expect((await summary({})).status).toBe(400)
  expect((await summary({ runType: 'NORMAL' }, 'nobody')).status).toBe(404)
})

test('the audit trail comes page by page', async () => {
  const { send, entries, standIn } = await reconciler(() => 1_000)
  await send(Array.from({ length: 4 }, (_, i) => rowOf('e-1', { Quantity: i })))
  type Page = { data: { payload: { Quantity: number } }[]; nextPage: string | null; previousPage: string | null }
  const page = async (query: Record<string, string>) => (await (await entries(query)).json()) as Page
  const first = await page({ pageSize: '2' })
  expect(first.data[0]).toMatchObject({ errorTime: '1000', errorCode: '79000002', operatorId: 'deduplicator' })
  const second = await page({ pageSize: '2', cursor: first.nextPage ?? '' })
  const quantities = [first, second].map(({ data }) => data.map(({ payload }) => payload.Quantity))
  expect(quantities).toEqual([[1, 2], [3]])
  expect([first.previousPage, second.previousPage, second.nextPage]).toEqual([null, '0', null])
  expect((await page({ exportType: 'SAMPLE' })).data).toMatchObject([{ payload: { Quantity: 0 } }])
  expect((await page({ runType: 'DEBUG' })).data).toEqual([])
  expect((await page({ operatorId: 'source' })).data).toEqual([])
  expect((await page({ queryFromTime: '1970-01-01T00:00:02Z' })).data).toEqual([])
  expect((await entries({ queryFromTime: 'yesterday' })).status).toBe(400)
  expect((await entries({ pageSize: '501' })).status).toBe(400)
  standIn.revokeTokens()
  expect((await entries({})).status).toBe(401)
})

test('runs as a process of its own', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'zuora-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const file = join(folder, 'options.json')
  await writeFile(file, JSON.stringify({ clients: [CLIENT], meters: [METER] }))
  const main = new URL('../../src/zuora-stand-in/main.ts', import.meta.url).pathname
  const child = spawn(process.execPath, [main, file], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const answer = await fetch(`${line.toString().trim()}/_standin/ledger`)
  expect(await answer.json()).toMatchObject({ tokenGrants: 0, meters: { calls: { billable: 0 } } })
  child.kill('SIGTERM')
  expect(await once(child, 'exit')).toEqual([0, null])
})
