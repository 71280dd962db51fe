import type { FieldSource } from '../contract.ts'

/** What can be told of an event from the upstream's row. */
export interface UnmappedEvent {
  readonly stream: string
  readonly seq: number
  readonly account?: string
  readonly atMs?: number
  /** JSON text of an object. */
  readonly data: string
  /** Some of the fields are computed, or are not there: the row made from this data could be another one. */
  readonly isPartial: boolean
}

type Json = { [key: string]: unknown }

const EVENT_ID = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-(\d{1,16})$/

/**
 * Reverses the mapping of fields. Undefined when the row has no event id of ours.
 *
 * @example unmapRow({ Id: 'id', Qty: 'data.quantity' }, { Id: '0193…-7', Qty: 3 }) // { stream: '0193…', seq: 7, data: '{"quantity":3}', … }
 */
export function unmapRow(fields: Readonly<Record<string, FieldSource>>, row: Json): UnmappedEvent | undefined {
  const found: { id?: unknown; account?: unknown; at?: unknown } = {}
  const data: Json = Object.create(null)
  let isPartial = false
  for (const [name, source] of Object.entries(fields)) {
    const value = Object.hasOwn(row, name) ? row[name] : undefined
    if (typeof source === 'function' || value === undefined) isPartial = true
    else if (source === 'id' || source === 'account' || source === 'at') found[source] = value
    else if (source.startsWith('data.') && !put(data, source.split('.').slice(1), value)) isPartial = true
  }
  const id = EVENT_ID.exec(String(found.id))
  if (!id) return undefined
  const atMs = Date.parse(String(found.at))
  return {
    ...{ stream: id[1] as string, seq: Number(id[2]), data: JSON.stringify(data), isPartial },
    ...(typeof found.account === 'string' ? { account: found.account } : {}),
    ...(Number.isNaN(atMs) ? {} : { atMs }),
  }
}

/** False when the path runs through a value that another field has put there. */
function put(data: Json, path: readonly string[], value: unknown): boolean {
  let place = data
  for (const key of path.slice(0, -1)) {
    place[key] ??= Object.create(null)
    if (typeof place[key] !== 'object') return false
    place = place[key] as Json
  }
  const last = path.at(-1) as string
  if (last in place) return place[last] === value
  place[last] = value
  return true
}
