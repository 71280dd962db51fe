import { expect, test, vi } from 'vitest'
import { settleIn } from '../../src/outbox/core/settle.ts'
import { memoryRows, memoryTables } from '../../src/outbox/memory/tables.ts'
import { NOW, nothing } from '../contract/outbox-kit.ts'
import { streamId, UsageOwner } from '../support/usage-owner.ts'

test('a settlement looks for dead letters among what has left already, and nowhere else', async () => {
  const tables = memoryTables(memoryRows())
  const one = new UsageOwner(streamId(1), 'acme')
  const { head, segments } = one.group(
    Array.from({ length: 200 }, (_, nth) => `["m",1,${nth}]`),
    { perSegment: 50 },
  )
  for (const segment of segments) tables.putSegment(segment)
  tables.putHead(head)
  const claim = { segments, reports: [], more: false }
  const read = vi.spyOn(tables, 'dead')
  const rejected = [{ stream: one.stream, seq: 7, code: 'invalid_data', detail: 'No.' }]
  await settleIn(tables, { ...nothing(claim), rejected }, Number.POSITIVE_INFINITY)
  const received = { [one.stream]: [[0, 199] as [number, number]] }
  const { settled } = await settleIn(tables, { ...nothing(claim), received, nowMs: NOW }, Number.POSITIVE_INFINITY)
  expect(settled).toEqual({ received: 200, dead: [] })
  expect(read.mock.calls).toEqual([[one.stream, 7]])
})
