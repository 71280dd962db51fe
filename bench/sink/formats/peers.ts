import { randomUUID } from 'node:crypto'
import { gunzipSync } from 'node:zlib'
import type { Carried, Format, SinkRequest } from '../contract.ts'

type Json = Readonly<Record<string, unknown>>

const json = (text: string): unknown => JSON.parse(text)
const textOf = ({ body }: SinkRequest): string => body.toString('utf8')
const at = (value: unknown, ...path: readonly string[]): unknown =>
  path.reduce<unknown>((part, key) => (part as Json | undefined)?.[key], value)

/** The bench's events among those given: others (a library's own) carry no number. */
function carried(events: unknown, number: readonly string[], id: (event: unknown) => unknown): Carried[] {
  return (events as readonly unknown[]).flatMap((event) => {
    const n = at(event, ...number)
    return typeof n === 'number' ? [{ n, id: String(id(event)) }] : []
  })
}

/** A format whose events come by POST to one path; everything else is no business of the bench. */
function formatOf(path: RegExp, body: string, read: (request: SinkRequest) => Carried[]): Format {
  return {
    read: (request) => (request.method === 'POST' && path.test(request.url.pathname) ? read(request) : undefined),
    answer: (_, events) => ({ body: events ? body : '{}' }),
  }
}

const segment = formatOf(/^\/v1\/b$/, '{"success":true}', (request) =>
  carried(at(json(textOf(request)), 'batch'), ['properties', 'n'], (event) => at(event, 'messageId')),
)

/** gzip without Content-Encoding, which its back end tells by the first bytes. */
const posthog = formatOf(/^\/(e|i\/v0\/e|batch)\/?$/, '{"status":1}', ({ body }) => {
  const value = json((body[0] === 0x1f ? gunzipSync(body) : body).toString())
  const events = Array.isArray(value) ? value : (at(value, 'batch') ?? [value])
  return carried(events, ['properties', 'n'], (event) => at(event, 'uuid') ?? at(event, 'properties', '$insert_id'))
})

const amplitude: Format = {
  ...formatOf(/^\/2\/httpapi$/, '', (request) =>
    carried(at(json(textOf(request)), 'events'), ['event_properties', 'n'], (event) => at(event, 'insert_id')),
  ),
  answer: ({ body }, events) => ({
    body: JSON.stringify({
      code: 200,
      events_ingested: events?.length ?? 0,
      payload_size_bytes: body.length,
      server_upload_time: Date.now(),
    }),
  }),
}

/** The event's own data are JSON inside of JSON, in base64 where the tracker is told so. */
const snowplow = formatOf(/^\/com\.snowplowanalytics\.snowplow\/tp2$/, 'ok', (request) => {
  const events = (at(json(textOf(request)), 'data') as readonly Json[]).map((event) => {
    const packed = event.ue_px as string | undefined
    const text = packed === undefined ? (event.ue_pr as string) : Buffer.from(packed, 'base64url').toString()
    return { eid: event.eid, data: at(json(text), 'data', 'data') }
  })
  return carried(events, ['data', 'n'], (event) => at(event, 'eid'))
})

const rudderstack = formatOf(/^\/v1\/(batch|track)$/, '"OK"', (request) => {
  const value = json(textOf(request))
  return carried(at(value, 'batch') ?? [value], ['properties', 'n'], (event) => at(event, 'messageId'))
})

const mixpanel = formatOf(/^\/track\/?$/, '{"status":1,"error":null}', (request) => {
  const data = new URLSearchParams(textOf(request)).get('data') ?? ''
  const value = json(/^[[{]/.test(data) ? data : Buffer.from(data, 'base64').toString())
  const events = Array.isArray(value) ? value : [value]
  return carried(events, ['properties', 'n'], (event) => at(event, 'properties', '$insert_id'))
})

/**
 * An envelope: a line of headers, then for each item a line of headers and one of content; counters stand in one item.
 * They have no id of their own: what comes twice is two counts to the back end.
 */
const sentry = formatOf(/^\/api\/1\/envelope\/$/, '{}', (request) => {
  const lines = textOf(request).trim().split('\n').map(json)
  const counters = lines.flatMap((line) => (at(line, 'items') ?? []) as readonly unknown[])
  return carried(counters, ['attributes', 'n', 'value'], () => randomUUID())
})

/** Its events have no id of their own: what comes twice is two events to the back end. */
const applicationinsights: Format = {
  ...formatOf(/^\/v2(\.1)?\/track$/, '', (request) =>
    carried(json(textOf(request)), ['data', 'baseData', 'measurements', 'n'], () => randomUUID()),
  ),
  answer: (request, events) => {
    if (!events) return { body: '{}' }
    const count = (json(textOf(request)) as unknown[]).length
    return { body: JSON.stringify({ itemsReceived: count, itemsAccepted: count, errors: [] }) }
  },
}

/** The wire formats of the libraries that metertap is compared with. */
export const PEER_FORMATS = {
  segment,
  posthog,
  amplitude,
  snowplow,
  rudderstack,
  mixpanel,
  sentry,
  applicationinsights,
} satisfies Record<string, Format>
