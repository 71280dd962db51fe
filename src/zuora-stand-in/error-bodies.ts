import { randomUUID } from 'node:crypto'
import type { ErrorShape } from './contract.ts'

/** An HTTP answer before it is compressed and sent. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
}

/** Codes of the stand-in. Only `schema` is one that Zuora publishes; clients must not depend on the others. */
export const CODES = {
  schema: 70000000,
  business: 79000001,
  duplicate: 79000002,
  request: 79000003,
  auth: 79000004,
  notFound: 79000005,
  tooLarge: 79000006,
  rateLimit: 79000007,
  fault: 79000008,
} as const

export interface Problem {
  readonly status: number
  readonly code: number
  readonly message: string
  readonly headers?: Readonly<Record<string, string>>
  /** Overrides the rotation. */
  readonly shape?: ErrorShape | undefined
}

/** Writes error answers in the shapes that Zuora's services are known to use. */
export type ErrorWriter = (problem: Problem) => Answer

const ROTATION: readonly ErrorShape[] = ['reasons', 'processId', 'oauth', 'message', 'html']

/** 'rotate' gives each error the next shape, in a fixed order. */
export function createErrorWriter(setting: ErrorShape | 'rotate'): ErrorWriter {
  let turn = 0
  const next = (): ErrorShape => (setting === 'rotate' ? (ROTATION[turn++ % ROTATION.length] ?? 'reasons') : setting)
  return (problem) => {
    const { type, text } = BODIES[problem.shape ?? next()](problem)
    return { status: problem.status, headers: { ...problem.headers, ...(type && { 'content-type': type }) }, text }
  }
}

type Body = { readonly type: string; readonly text: string }

const BODIES: Record<ErrorShape, (problem: Problem) => Body> = {
  reasons: ({ code, message }) => json({ success: false, reasons: [{ code, message }] }),
  processId: ({ code, message }) => json({ processId: randomUUID().replaceAll('-', ''), reasons: [{ code, message }] }),
  oauth: ({ status, message }) => json({ error: oauthError(status), error_description: message }),
  message: ({ message }) => json({ message }),
  html: ({ status }) => ({ type: 'text/html', text: page(status) }),
  empty: () => ({ type: '', text: '' }),
}

/** The 200 of the usage endpoint. */
export function successAnswer(success: boolean, message: string): Answer {
  return { status: 200, headers: { 'content-type': 'application/json' }, text: JSON.stringify({ success, message }) }
}

function json(value: unknown): Body {
  return { type: 'application/json', text: JSON.stringify(value) }
}

function oauthError(status: number): string {
  if (status === 401) return 'invalid_client'
  if (status === 403) return 'access_denied'
  return status < 500 ? 'invalid_request' : 'server_error'
}

/** A proxy's error page: over 1,000 bytes, so that it comes compressed where that is accepted. */
function page(status: number): string {
  const padding = '<!-- a padding to disable MSIE and Chrome friendly error page -->\n'.repeat(16)
  return `<html>\n<head><title>${status}</title></head>\n<body>\n<center><h1>${status}</h1></center>\n</body>\n</html>\n${padding}`
}
