import type { ProblemCode } from '../problem.ts'

export interface Operation {
  readonly id: string
  readonly summary: string
  /** Needs no key. */
  readonly isOpen?: boolean
  readonly parameters?: readonly unknown[]
  readonly body?: { readonly type?: string; readonly schema: unknown }
  readonly answer: { readonly description: string; readonly type?: string; readonly schema: unknown }
  readonly problems: readonly ProblemCode[]
}

export type Paths = Readonly<Record<string, Readonly<Record<string, Operation>>>>

export const object = (properties: Record<string, unknown> = {}, required = Object.keys(properties)): unknown => ({
  type: 'object',
  properties,
  ...(required.length === 0 ? {} : { required }),
})
export const text: unknown = { type: 'string' }
export const count: unknown = { type: 'integer', minimum: 0 }
export const list = (items: unknown = { type: 'object' }): unknown => ({ type: 'array', items })
export const query = (name: string, schema: unknown = text): unknown => ({ name, in: 'query', schema })
export const inPath = (name: string, schema: unknown = text): unknown => ({ name, in: 'path', required: true, schema })
export const json = (description: string, schema: unknown): Operation['answer'] => ({ description, schema })

/** How a body can be refused. */
export const BODY_PROBLEMS: readonly ProblemCode[] = [
  ...(['not_json', 'not_gzip', 'body_timeout', 'body_too_large', 'inflated_too_large', 'ratio_too_high'] as const),
  ...(['too_complex', 'unsupported_encoding', 'unsupported_media_type'] as const),
]
