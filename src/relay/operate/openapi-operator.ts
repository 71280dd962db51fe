import type { ProblemCode } from '../problem.ts'
import { BODY_PROBLEMS, count, inPath, json, list, object, type Paths, query, text } from './openapi-parts.ts'

const ADMIN: readonly ProblemCode[] = ['unauthorized', 'invalid_request', 'unavailable', 'internal']
const limit = query('limit', { type: 'integer', minimum: 1, maximum: 10_000 })
const noted = object({ serverTime: { type: 'number' } })
const ids = object({ ids: list(count) })

export const ADMIN_PATHS: Paths = {
  '/v1/ledger': {
    get: {
      id: 'readLedger',
      summary: 'Totals, lanes and streams: recorded = received + declared + rejected + missing.',
      parameters: [query('account'), query('stream'), limit],
      answer: json('The ledger.', noted),
      problems: ADMIN,
    },
  },
  '/v1/gaps': {
    get: {
      id: 'readGaps',
      summary: 'Streams with missing numbers, and which.',
      parameters: [query('account'), query('stream'), limit],
      answer: json('The gaps.', object({ gaps: list() })),
      problems: ADMIN,
    },
  },
  '/v1/days': {
    get: {
      id: 'readDays',
      summary:
        'How complete each account is, by the day (UTC) on which a stream was first seen; of the newest streams.',
      parameters: [query('account'), limit],
      answer: json('The days.', object({ days: list(), isWhole: { type: 'boolean' } })),
      problems: ADMIN,
    },
  },
  '/v1/events/{id}': {
    get: {
      id: 'findEvent',
      summary: "An event's way, as far as the ledger tells: its streams are counted, not each event on its own.",
      parameters: [inPath('id')],
      answer: json('The way, for each account that has the stream.', object({ id: text, ways: list() })),
      problems: [...ADMIN, 'not_found'],
    },
  },
  '/v1/backlog': {
    get: {
      id: 'readBacklog',
      summary: 'What waits for the upstream, by lane, and what each lane does.',
      answer: json('The backlog.', object({ lanes: list(), forwarding: list() })),
      problems: ADMIN,
    },
  },
  '/v1/dead-letters': {
    get: {
      id: 'listDeadLetters',
      summary: 'Events that the upstream refused, the newest first. With Accept: application/x-ndjson one to a line.',
      parameters: [query('meter'), query('account'), query('before', count), limit],
      answer: json('The dead letters.', object({ deadLetters: list() })),
      problems: ADMIN,
    },
  },
  '/v1/dead-letters/{id}': {
    patch: {
      id: 'editDeadLetter',
      summary: "Replaces the event's data, after checking it with the meter's schema.",
      parameters: [inPath('id', count)],
      body: { schema: object({ data: {} }) },
      answer: json('The edited letter.', object({ deadLetter: { type: 'object' } })),
      problems: [...ADMIN, 'not_found', 'conflict', ...BODY_PROBLEMS],
    },
  },
  '/v1/lanes/{lane}/pause': {
    post: {
      id: 'pauseLane',
      summary: 'Stops forwarding of a lane, for all processes, until it is resumed. Events go on being taken.',
      parameters: [inPath('lane')],
      body: { schema: object({ reason: text }) },
      answer: json('Paused.', object({ lane: text, paused: { type: 'boolean' } })),
      problems: [...ADMIN, 'not_found', ...BODY_PROBLEMS],
    },
  },
  '/v1/lanes/{lane}/resume': {
    post: {
      id: 'resumeLane',
      summary: 'Lets a paused lane go on.',
      parameters: [inPath('lane')],
      answer: json('Resumed.', object({ lane: text, wasPaused: { type: 'boolean' } })),
      problems: [...ADMIN, 'not_found'],
    },
  },
  '/v1/held': {
    get: {
      id: 'readHeld',
      summary: 'Events beyond a daily cap: stored, acknowledged and not forwarded.',
      parameters: [query('account'), limit],
      answer: json('By account and meter.', object({ held: list() })),
      problems: ADMIN,
    },
  },
  '/v1/held/release': {
    post: {
      id: 'releaseHeld',
      summary: "Forwards an account's events on hold.",
      body: { schema: object({ account: text }) },
      answer: json('How many.', object({ released: count })),
      problems: [...ADMIN, ...BODY_PROBLEMS],
    },
  },
  '/v1/parked': {
    get: {
      id: 'listParked',
      summary: 'Deliveries that the upstream may have taken and might not recognise: they wait for a decision.',
      parameters: [query('lane'), limit],
      answer: json('The parked deliveries.', object({ parked: list() })),
      problems: ADMIN,
    },
  },
  '/v1/parked/{id}': {
    post: {
      id: 'resolveParked',
      summary: 'Decides: the upstream has it, must get it again, or must not get it.',
      parameters: [inPath('id')],
      body: { schema: object({ verdict: { enum: ['accepted', 'resend', 'bury'] } }) },
      answer: json('Decided.', object({ id: text, verdict: text })),
      problems: [...ADMIN, 'not_found', ...BODY_PROBLEMS],
    },
  },
  '/v1/hours': {
    get: {
      id: 'readHours',
      summary: 'What happened, by account, meter and hour. Times are ms since 1970.',
      parameters: [query('account'), query('meter'), query('from', count), query('until', count), limit],
      answer: json('The hours.', object({ hours: list() })),
      problems: ADMIN,
    },
  },
  '/v1/reconcile': {
    post: {
      id: 'reconcile',
      summary: 'Asks the upstream what became of the events that it took; failed ones become dead letters.',
      body: { schema: object({ sinceMs: count }, []) },
      answer: json('What came out, by meter.', object({ report: { type: 'object' } })),
      problems: [...ADMIN, ...BODY_PROBLEMS],
    },
  },
  '/v1/backup': {
    post: {
      id: 'backUp',
      summary: 'Copies the store into admin.backupFolder while the relay works on.',
      answer: json("The copy's name.", object({ file: text })),
      problems: [...ADMIN, 'conflict'],
    },
  },
  '/v1/dead-letters/delete': {
    post: {
      id: 'deleteDeadLetters',
      summary: 'Deletes them; the ledger counts them as discarded.',
      body: { schema: ids },
      answer: json('How many.', object({ deleted: count })),
      problems: [...ADMIN, ...BODY_PROBLEMS],
    },
  },
  '/v1/dead-letters/replay': {
    post: {
      id: 'replayDeadLetters',
      summary: 'Puts them back into their lanes, under the same event ids.',
      body: { schema: ids },
      answer: json('How many.', object({ replayed: count })),
      problems: [...ADMIN, ...BODY_PROBLEMS],
    },
  },
  '/v1/revocations': {
    get: {
      id: 'listRevocations',
      summary: 'What was revoked.',
      answer: json('The revocations.', object({ revocations: list() })),
      problems: ADMIN,
    },
    post: {
      id: 'revoke',
      summary: 'Revokes everything issued before a time (default: now) to an account, or to one of its devices.',
      body: { schema: object({ account: text, device: text, beforeMs: count }, ['account']) },
      answer: json('What stands now.', object({ revocation: { type: 'object' } })),
      problems: [...ADMIN, ...BODY_PROBLEMS],
    },
  },
  '/v1/signing-keys/replace': {
    post: {
      id: 'replaceSigningKeys',
      summary: 'Throws the signing keys away: every token issued so far ends. For a key that leaked.',
      answer: json('The new public keys.', object({ keys: list() })),
      problems: ADMIN,
    },
  },
  '/metrics': {
    get: {
      id: 'readMetrics',
      summary: 'Prometheus metrics.',
      answer: { description: 'Prometheus text format.', type: 'text/plain', schema: text },
      problems: ADMIN,
    },
  },
  '/openapi.json': {
    get: { id: 'describeOperatorApi', summary: 'This.', answer: json('OpenAPI 3.1.', object()), problems: ADMIN },
  },
}
