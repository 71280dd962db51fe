import { expect, test, vi } from 'vitest'
import { segmentOf } from '../../src/agent/runs.ts'
import type { Segment } from '../../src/outbox/contract.ts'
import { sealOf } from '../../src/outbox/core/seal.ts'
import { sealedDamage } from '../../src/outbox/core/sound-rows.ts'

const utf8Length = (text: string) => Buffer.byteLength(text)
const texts = Array.from({ length: 100 }, (_, n) => JSON.stringify(['calls', 1_700_000_000_000 + n, { n, text: 'é' }]))
const row = segmentOf('018f0000-0000-7000-8000-000000000001', { first: 7, texts }, utf8Length)

test('a segment that is as it was written is not parsed again', () => {
  const parse = vi.spyOn(JSON, 'parse')
  try {
    expect(sealedDamage(row)).toBeUndefined()
    expect(parse).not.toHaveBeenCalled()
    const { seal: _, ...older } = row
    expect(sealedDamage(older), 'an older version’s row').toBeUndefined()
    expect(parse).toHaveBeenCalledOnce()
  } finally {
    parse.mockRestore()
  }
})

const CHANGES: [string, Partial<Segment>, string | undefined][] = [
  ['is cut off', { body: row.body.slice(0, -1) }, 'not_json'],
  ['has lost an event', { body: texts.slice(1).join() }, 'count'],
  ['has an event twice', { body: [...texts, texts[0]].join() }, 'count'],
  ['counts one more', { count: row.count + 1 }, 'count'],
  ['holds other events, as many of them', { body: texts.map(() => '["m",1,{}]').join() }, undefined],
  ['is as long, and no JSON', { body: 'x'.repeat(row.body.length) }, 'not_json'],
  ['has another number', { first: 8 }, undefined],
]

test.each(CHANGES)('one that %s loses its seal, and is looked at', (_, change, reason) => {
  const changed = { ...row, ...change }
  expect(sealOf(changed)).not.toBe(row.seal)
  expect(sealedDamage(changed)).toBe(reason)
})

test('what is no seal is none', () => {
  for (const seal of ['x', null, Number.NaN, {}]) {
    expect(sealedDamage({ ...row, body: `${row.body},`, seal })).toBe('not_json')
  }
})

test('the shortest bodies have one, too', () => {
  for (const text of ['', '[', '["m",1,{}]'])
    expect(sealOf({ first: 0, count: 1, body: text })).toBeGreaterThanOrEqual(0)
})
