import { gzipSync } from 'node:zlib'
import { onTestFinished } from 'vitest'
import type { MeterOptions, ZuoraStandIn, ZuoraStandInOptions } from '../../src/zuora-stand-in/contract.ts'
import { startZuoraStandIn } from '../../src/zuora-stand-in/server.ts'

export const CLIENT = { clientId: 'relay', clientSecret: 'a-secret' }
export const FIELDS: MeterOptions['fields'] = {
  CustomerId: { type: 'string' },
  UsageIdentifier: { type: 'string' },
  UsageDate: { type: 'date' },
  Quantity: { type: 'number' },
}
export const METER: MeterOptions = { id: 'calls', fields: FIELDS, deduplicator: { field: 'UsageIdentifier' } }

export function rowOf(id: string, over: Record<string, unknown> = {}): Record<string, unknown> {
  return { CustomerId: 'C-1', UsageIdentifier: id, UsageDate: '2026-03-31T10:30:00Z', Quantity: 1, ...over }
}

export function rowsOf(from: number, count: number): Record<string, unknown>[] {
  return Array.from({ length: count }, (_, i) => rowOf(`e-${from + i}`))
}

export async function start(options: Partial<ZuoraStandInOptions> = {}): Promise<ZuoraStandIn> {
  const standIn = await startZuoraStandIn({ clients: [CLIENT], meters: [METER], ...options })
  onTestFinished(() => standIn.close())
  return standIn
}

export function askToken(
  standIn: ZuoraStandIn,
  form: Record<string, string> | string = {},
  headers: Record<string, string> = {},
): Promise<Response> {
  const standard = { grant_type: 'client_credentials', client_id: CLIENT.clientId, client_secret: CLIENT.clientSecret }
  const body = typeof form === 'string' ? form : String(new URLSearchParams({ ...standard, ...form }))
  return fetch(`${standIn.url}/oauth/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    body,
  })
}

export async function tokenOf(standIn: ZuoraStandIn): Promise<string> {
  const { access_token: token } = (await (await askToken(standIn)).json()) as { access_token: string }
  return token
}

export interface PostOptions {
  readonly meter?: string
  readonly headers?: Record<string, string>
  readonly gzip?: boolean
  readonly query?: string
  readonly signal?: AbortSignal
}

/** Posts a body; anything but text and bytes is sent as JSON. */
export async function post(
  standIn: ZuoraStandIn,
  token: string,
  body: unknown,
  { meter = METER.id, headers = {}, gzip = false, query = '', signal }: PostOptions = {},
): Promise<Response> {
  const text = typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body)
  return fetch(`${standIn.url}/usage/bulk/${meter}${query}`, {
    method: 'POST',
    redirect: 'manual',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      ...(gzip && { 'content-encoding': 'gzip' }),
      ...headers,
    },
    body: gzip ? gzipSync(text) : (text as BodyInit),
    ...(signal && { signal }),
  })
}

/** A stand-in, and a function that posts to it with a fresh token. */
export async function ready(
  options: Partial<ZuoraStandInOptions> = {},
): Promise<{ standIn: ZuoraStandIn; send: (body: unknown, options?: PostOptions) => Promise<Response> }> {
  const standIn = await start(options)
  const token = await tokenOf(standIn)
  return { standIn, send: (body, postOptions) => post(standIn, token, body, postOptions) }
}
