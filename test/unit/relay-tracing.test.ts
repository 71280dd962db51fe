import type { Span, Tracer } from '@opentelemetry/api'
import { expect, test } from 'vitest'
import { batchOf, goodEvent, openTestRelay } from '../support/relay-fixture.ts'

interface Seen {
  name: string
  readonly attributes: Record<string, unknown>
  isEnded: boolean
  hasFailed: boolean
}

function createTracer(): { tracer: Tracer; spans: Seen[] } {
  const spans: Seen[] = []
  const startSpan = (name: string): Span => {
    const seen: Seen = { name, attributes: {}, isEnded: false, hasFailed: false }
    spans.push(seen)
    const span = {
      setAttribute: (key: string, value: unknown) => {
        seen.attributes[key] = value
      },
      setAttributes: (values: object) => Object.assign(seen.attributes, values),
      updateName: (next: string) => {
        seen.name = next
      },
      setStatus: () => {
        seen.hasFailed = true
      },
      end: () => {
        seen.isEnded = true
      },
    }
    return span as unknown as Span
  }
  return { tracer: { startSpan } as unknown as Tracer, spans }
}

test('a batch is three spans: the request, the judging and the commit; none of them names anybody', async () => {
  const { tracer, spans } = createTracer()
  const relay = await openTestRelay({}, { tracer })
  const token = await relay.token()
  spans.length = 0
  await relay.send(batchOf([goodEvent(), 'bad']), token)
  expect(spans).toEqual([
    {
      name: 'POST /v1/events',
      attributes: {
        'http.request.method': 'POST',
        'http.route': '/v1/events',
        'http.response.status_code': 200,
      },
      ...{ isEnded: true, hasFailed: false },
    },
    { name: 'metertap.judge', attributes: {}, isEnded: true, hasFailed: false },
    { name: 'metertap.commit', attributes: { 'metertap.events': 1 }, isEnded: true, hasFailed: false },
  ])
  expect(JSON.stringify(spans)).not.toMatch(/acme|laptop/)
  await relay.close()
})

test('a commit that fails is marked, and its request ends', async () => {
  const { tracer, spans } = createTracer()
  const relay = await openTestRelay({}, { tracer })
  const token = await relay.token()
  spans.length = 0
  relay.relay.store.accept = async () => {
    throw new Error('disk full')
  }
  await relay.send(batchOf([goodEvent()]), token)
  expect(spans.map(({ name, isEnded, hasFailed }) => [name, isEnded, hasFailed])).toEqual([
    ['POST /v1/events', true, false],
    ['metertap.judge', true, false],
    ['metertap.commit', true, true],
  ])
  expect(spans[0]?.attributes['http.response.status_code']).toBe(503)
  await relay.close()
})
