import { createHash } from 'node:crypto'
import { connect } from 'node:net'
import { gzipSync } from 'node:zlib'
import { expect, test, vi } from 'vitest'
import type { MeterOptions } from '../../src/zuora-stand-in/contract.ts'
import { FIELDS, METER, ready, rowOf, rowsOf, start } from '../support/zuora-stand-in.ts'

const withoutDeduplicator: MeterOptions = { id: 'calls', fields: FIELDS, uniqueField: 'UsageIdentifier' }

test('takes one object or an array, plain or compressed', async () => {
  const { standIn, send } = await ready()
  const answers = [await send(rowOf('e-1')), await send([rowOf('e-2'), rowOf('e-3')], { gzip: true })]
  for (const answer of answers) {
    expect(answer.status).toBe(200)
    expect(await answer.json()).toEqual({ success: true, message: expect.any(String) })
  }
  expect([...standIn.ledger.events('calls')]).toEqual([rowOf('e-1'), rowOf('e-2'), rowOf('e-3')])
})

test('records calls: bytes on the wire, rows, digest of the body', async () => {
  const { standIn, send } = await ready()
  const text = JSON.stringify(rowsOf(0, 50))
  await send(text, { gzip: true, headers: { 'zuora-track-id': 'delivery-1' } })
  await send(text, { gzip: true, headers: { 'zuora-track-id': 'delivery-1' } })
  const gzip = gzipSync(text)
  const call = {
    atMs: expect.any(Number),
    meter: 'calls',
    trackId: 'delivery-1',
    status: 200,
    wireBytes: gzip.byteLength,
    bodyBytes: text.length,
    rows: 50,
    sha256: createHash('sha256').update(gzip).digest('hex'),
  }
  expect(standIn.ledger.calls()).toEqual([
    { ...call, billed: 50 },
    { ...call, billed: 0 },
  ])
  expect(standIn.ledger.totals('calls')).toMatchObject({
    calls: 2,
    storedCalls: 2,
    rowsReceived: 100,
    billable: 50,
    deduplicated: 50,
    duplicates: 0,
    wireBytes: 2 * gzip.byteLength,
    bodyBytes: 2 * text.length,
  })
})

test('the deduplicator turns later arrivals into audit entries, within a call too', async () => {
  const { standIn, send } = await ready()
  await send([rowOf('e-1', { Quantity: 1 }), rowOf('e-1', { Quantity: 2 })])
  await send([rowOf('e-1', { Quantity: 4 }), rowOf('e-2', { Quantity: 8 })], { headers: { 'zuora-track-id': 't-2' } })
  expect(standIn.ledger.totals('calls')).toMatchObject({
    billable: 2,
    duplicates: 0,
    deduplicated: 2,
    sums: { Quantity: '9' },
  })
  const audit = standIn.ledger.audit('calls')
  expect(audit.map(({ payload }) => payload.Quantity)).toEqual([2, 4])
  expect(audit[1]).toMatchObject({ operator: 'deduplicator', trackId: 't-2', traceId: expect.any(String) })
  expect(audit[0]).not.toHaveProperty('trackId')
})

test('the window of the deduplicator ends, and then the ledger shows a customer billed twice', async () => {
  let nowMs = 0
  const meter: MeterOptions = { ...METER, deduplicator: { field: 'UsageIdentifier', windowMs: 1_000 } }
  const { standIn, send } = await ready({ now: () => nowMs, meters: [meter] })
  for (nowMs of [0, 999, 1_000]) await send(rowOf('e-1'))
  expect(standIn.ledger.totals('calls')).toMatchObject({ billable: 2, deduplicated: 1, duplicates: 1 })
})

test('without a deduplicator doubles are stored as doubles', async () => {
  const { standIn, send } = await ready({ meters: [withoutDeduplicator] })
  await send([rowOf('e-1'), rowOf('e-2')])
  await send([rowOf('e-1'), rowOf('e-2')])
  expect(standIn.ledger.totals('calls')).toMatchObject({
    billable: 4,
    duplicates: 2,
    deduplicated: 0,
    sums: { Quantity: '4' },
  })
  expect(standIn.ledger.audit()).toEqual([])
})

test('a bad row costs the whole call, and a clean resend of the rest is no duplicate', async () => {
  const { standIn, send } = await ready()
  const answer = await send([rowOf('e-1'), rowOf('e-2', { Quantity: '1' })])
  expect(answer.status).toBe(400)
  expect(standIn.ledger.totals('calls')).toMatchObject({ billable: 0, refused: 1, rowsReceived: 2, storedCalls: 0 })
  await send(rowOf('e-1'))
  expect(standIn.ledger.totals('calls')).toMatchObject({ billable: 1, deduplicated: 0 })
})

test('partial: a 400 stores the valid rows', async () => {
  const { standIn, send } = await ready({ partial: 'partial' })
  const answer = await send([rowOf('e-1'), rowOf('e-2', { Quantity: '1' }), rowOf('e-3')], { gzip: true })
  expect(answer.status).toBe(400)
  expect(standIn.ledger.totals('calls')).toMatchObject({ billable: 2, refused: 1 })
  expect([...standIn.ledger.events('calls')]).toEqual([rowOf('e-1'), rowOf('e-3')])
  expect(standIn.ledger.audit()).toEqual([])
})

test('schemaErrors audit: 200, and the bad row dies in the audit trail', async () => {
  const { standIn, send } = await ready({ meters: [{ ...METER, schemaErrors: 'audit' }] })
  const bad = rowOf('e-2', { Quantity: '1' })
  const answer = await send([rowOf('e-1'), bad], { headers: { 'zuora-track-id': 't-1' } })
  expect(await answer.json()).toMatchObject({ success: true })
  expect(standIn.ledger.totals('calls')).toMatchObject({ billable: 1, failedLater: 1, refused: 0 })
  expect(standIn.ledger.audit()).toMatchObject([
    { code: '70000000', payload: bad, operator: 'source', trackId: 't-1', message: 'Quantity is not of type number.' },
  ])
})

test('payload and row limits of the environment answer 413 and store nothing', async () => {
  const { standIn, send } = await ready({ environment: 'api-sandbox', meters: [{ ...METER, unknownFields: 'accept' }] })
  expect((await send(rowsOf(0, 1_000))).status).toBe(200)
  expect((await send(rowsOf(1_000, 1_001))).status).toBe(413)
  const frame = JSON.stringify(rowOf('big', { x: '' })).length
  const sized = (bytes: number) => JSON.stringify(rowOf('big', { x: 'x'.repeat(bytes - frame) }))
  expect((await send(sized(1_000_001), { gzip: true })).status).toBe(413)
  expect((await send(sized(1_000_001))).status).toBe(413)
  expect((await send(sized(3_000_000))).status).toBe(413)
  expect((await send(sized(1_000_000), { gzip: true })).status).toBe(200)
  expect(standIn.ledger.totals('calls')).toMatchObject({ billable: 1_001 })
})

test('the call limit answers 429 with its headers', async () => {
  const { send } = await ready({ limits: { callsPerMinute: 1 } })
  expect((await send(rowOf('e-1'))).status).toBe(200)
  const answer = await send(rowOf('e-2'))
  expect(answer.status).toBe(429)
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
  expect(answer.headers.get('ratelimit-limit')).toBe('1')
  expect(answer.headers.get('ratelimit-remaining')).toBe('0')
  expect(Number(answer.headers.get('ratelimit-reset'))).toBeGreaterThan(0)
})

test('404 for an unknown meter, a meter without streaming, another path or method', async () => {
  const { standIn, send } = await ready({ meters: [METER, { id: 'files', fields: FIELDS, streaming: false }] })
  expect((await send(rowOf('e-1'), { meter: 'nobody' })).status).toBe(404)
  expect((await send(rowOf('e-1'), { meter: 'files' })).status).toBe(404)
  expect((await send(rowOf('e-1'), { meter: 'calls/1' })).status).toBe(404)
  expect((await fetch(`${standIn.url}/usage/bulk/calls`)).status).toBe(404)
  expect(standIn.ledger.calls('nobody')).toHaveLength(1)
})

test('header rules answer 400; a good track id is echoed, a bad one is not', async () => {
  const { send } = await ready()
  const refused = [
    { 'zuora-track-id': '2026-03-31T10:30:00Z' },
    { 'content-type': 'text/plain' },
    { 'content-encoding': 'br' },
    { 'zuora-entity-ids': 'e1' },
    { 'zuora-org-ids': 'o1' },
  ]
  for (const headers of refused) {
    const answer = await send(rowOf('e-1'), { headers })
    expect(answer.status).toBe(400)
    expect(answer.headers.get('zuora-track-id')).toBeNull()
  }
  const headers = { 'zuora-track-id': 'delivery-7' }
  expect((await send(rowOf('e-1'), { headers })).headers.get('zuora-track-id')).toBe('delivery-7')
  expect((await send('{', { headers })).headers.get('zuora-track-id')).toBe('delivery-7')
})

test('answers over 1,000 bytes come compressed where that is accepted', async () => {
  const { send } = await ready({ errorBodies: 'reasons' })
  const bad = Array.from({ length: 40 }, (_, i) => rowOf(`e-${i}`, { Quantity: 'much' }))
  const accepting = await send(bad, { headers: { 'accept-encoding': 'gzip' } })
  const plain = await send(bad, { headers: { 'accept-encoding': 'gzip;q=0' } })
  const short = await send(bad.slice(0, 1), { headers: { 'accept-encoding': 'gzip' } })
  expect([accepting, plain, short].map(({ headers }) => headers.get('content-encoding'))).toEqual(['gzip', null, null])
  const text = await plain.text()
  expect(text.length).toBeGreaterThan(1_000)
  expect(await accepting.text()).toBe(text)
})

test('error bodies rotate through all shapes, always in the same order', async () => {
  const { send } = await ready()
  const bodies: string[] = []
  for (let i = 0; i < 6; i++) bodies.push(await (await send('{')).text())
  expect(JSON.parse(bodies[0] ?? '')).toMatchObject({ success: false, reasons: [{ code: expect.any(Number) }] })
  expect(JSON.parse(bodies[1] ?? '')).toMatchObject({ processId: expect.any(String), reasons: [{}] })
  expect(JSON.parse(bodies[2] ?? '')).toMatchObject({ error: 'invalid_request', error_description: expect.any(String) })
  expect(JSON.parse(bodies[3] ?? '')).toEqual({ message: expect.any(String) })
  expect(bodies[4]).toMatch(/^<html>/)
  expect(bodies[5]).toBe(bodies[0])
})

test('counts what a client should not do', async () => {
  const { standIn, send } = await ready()
  await send(rowOf('e-1'), { headers: { 'idempotency-key': 'k' } })
  await send(rowOf('e-2'), { query: '?x=1' })
  expect(standIn.ledger.oddities).toEqual({ 'idempotency-key': 1, query: 1 })
  expect(standIn.ledger.totals('calls').billable).toBe(2)
})

test('a client that goes away in the middle of its body leaves nothing but a record', async () => {
  const standIn = await start()
  const { hostname, port } = new URL(standIn.url)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => {})
  socket.write('POST /usage/bulk/calls HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"half":')
  setTimeout(() => socket.destroy(), 50)
  await vi.waitFor(() => expect(standIn.ledger.calls()).toHaveLength(1), { timeout: 30_000 })
  expect(standIn.ledger.calls()[0]).not.toHaveProperty('status')
  expect(standIn.ledger.totals('calls')).toMatchObject({ calls: 1, billable: 0 })
})
