const MAX_TRACK_ID_CHARS = 64
/** Printable US-ASCII without : ; " and ' */
const TRACK_ID = /^[\x20\x21\x23-\x26\x28-\x39\x3c-\x7e]+$/

export interface TenantHeaders {
  readonly entityIds?: readonly string[]
  readonly orgIds?: readonly string[]
}

export type HeaderReader = (name: string) => string | undefined

export function isTrackId(value: string): boolean {
  return value.length <= MAX_TRACK_ID_CHARS && TRACK_ID.test(value)
}

/** What is wrong with the headers of a usage call, or undefined. Content-Encoding is the body reader's business. */
export function headerProblem(read: HeaderReader, tenant: TenantHeaders): string | undefined {
  const trackId = read('zuora-track-id')
  if (trackId !== undefined && !isTrackId(trackId)) return 'Zuora-Track-Id is not valid.'
  if (!isJson(read('content-type'))) return 'Content-Type must be application/json.'
  return entityProblem(read('zuora-entity-ids'), tenant.entityIds) ?? orgProblem(read('zuora-org-ids'), tenant.orgIds)
}

function isJson(contentType: string | undefined): boolean {
  return /^application\/json\s*(;\s*charset="?utf-8"?\s*)?$/i.test(contentType ?? '')
}

function entityProblem(value: string | undefined, known: readonly string[] | undefined): string | undefined {
  if (value === undefined) {
    return known && known.length > 1 ? 'Zuora-Entity-Ids must name one of the entities.' : undefined
  }
  if (!known) return 'Zuora-Entity-Ids needs Multi-entity, which is not enabled.'
  return known.includes(value) ? undefined : 'Zuora-Entity-Ids names no entity of this tenant.'
}

function orgProblem(value: string | undefined, known: readonly string[] | undefined): string | undefined {
  if (value === undefined) return undefined
  if (!known) return 'Zuora-Org-Ids needs Multi-Org, which is not enabled.'
  const isKnown = value.split(',').every((id) => known.includes(id.trim()))
  return isKnown ? undefined : 'Zuora-Org-Ids names an org that the user cannot reach.'
}
