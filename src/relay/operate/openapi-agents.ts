import { tokenRequest } from '../http/token-request.ts'
import type { ProblemCode } from '../problem.ts'
import { BODY_PROBLEMS, count, json, list, type Operation, object, type Paths, text } from './openapi-parts.ts'

const LOAD: readonly ProblemCode[] = ['rate_limited', 'overloaded', 'unavailable', 'internal']
const TOKEN: readonly ProblemCode[] = [
  ...(['unauthorized', 'token_expired', 'token_revoked', 'wrong_audience', 'wrong_issuer'] as const),
]
const BATCH: readonly ProblemCode[] = ['invalid_batch', 'unsupported_version', 'too_many_events']
const PROOF: readonly ProblemCode[] = [
  ...(['invalid_request', 'invalid_grant', 'grant_expired', 'grant_used'] as const),
  ...(['invalid_session', 'session_expired', 'token_revoked'] as const),
]

const status: Operation['answer'] = json('All is well.', object({ status: text }))
const batchSchema = { $ref: '#/components/schemas/Batch' }
const answer = json('What the relay now holds of each stream, what it will not take, and what it wants later.', {
  $ref: '#/components/schemas/Answer',
})

export const AGENT_PATHS: Paths = {
  '/v1/token': {
    post: {
      id: 'issueToken',
      summary: "Swaps the proof of an application's user for an access token of 10 to 15 minutes.",
      isOpen: true,
      body: { schema: tokenRequest },
      answer: json('The token.', object({ token: text, expiresInS: count })),
      problems: [...PROOF, ...BODY_PROBLEMS, ...LOAD],
    },
  },
  '/v1/events': {
    post: {
      id: 'sendEvents',
      summary: 'Takes a batch of usage events, plain or gzip; each event has its own verdict.',
      body: { schema: batchSchema },
      answer,
      problems: [...TOKEN, ...BATCH, ...BODY_PROBLEMS, ...LOAD],
    },
  },
  '/v1/exit': {
    post: {
      id: 'sendEventsAtExit',
      summary: 'The same as a page closes: text/plain needs no preflight; the token is in the body, as "token".',
      isOpen: true,
      body: { type: 'text/plain', schema: text },
      answer,
      problems: [...TOKEN, ...BATCH, ...BODY_PROBLEMS, ...LOAD],
    },
  },
  '/livez': {
    get: { id: 'isAlive', summary: 'Whether the process answers.', isOpen: true, answer: status, problems: [] },
  },
  '/readyz': {
    get: {
      id: 'isReady',
      summary: 'Whether the relay can take events now.',
      isOpen: true,
      answer: status,
      problems: ['unavailable', 'overloaded'],
    },
  },
  '/.well-known/jwks.json': {
    get: {
      id: 'readKeys',
      summary: 'The public keys of the access tokens, the next one included.',
      isOpen: true,
      answer: json('A JSON Web Key Set.', object({ keys: list() })),
      problems: [],
    },
  },
  '/openapi.json': {
    get: { id: 'describeApi', summary: 'This.', isOpen: true, answer: json('OpenAPI 3.1.', object()), problems: [] },
  },
}
