import type { ProblemCode } from '../../problem.ts'
import type { Explanation } from './contract.ts'

/** Codes of whole-request refusals: `code` in the relay’s problem+json answers. */
export const RELAY_PROBLEMS: Readonly<Record<ProblemCode, Explanation>> = {
  not_json: {
    cause: 'The request’s body is not JSON.',
    fix: 'Send the batch as JSON, compressed by gzip or not at all.',
  },
  not_gzip: {
    cause: 'The body says that it is gzip and is not, or it ends early.',
    fix: 'Look for a proxy that changes bodies; agents check what they compress.',
  },
  invalid_request: {
    cause: 'The request’s body or parameters do not fit. The detail names them.',
    fix: 'Compare the call with /openapi.json.',
  },
  invalid_batch: {
    cause: 'The batch does not fit the wire format.',
    fix: 'Send with metertap’s agent, or compare with docs of the wire, version 1.',
  },
  unsupported_version: {
    cause: 'The batch is of a wire version that this relay does not speak.',
    fix: 'Update the relay first, then the agents.',
  },
  unauthorized: {
    cause: 'There is no token, or it is not one of this relay’s.',
    fix: 'Get one from POST /v1/token. For the operator’s API: use the admin key.',
  },
  token_expired: {
    cause: 'The token’s time is over.',
    fix: 'Agents renew it by themselves; if it happens at once, a clock is wrong.',
  },
  token_revoked: {
    cause: 'The operator revoked what was issued before a certain time to this account or device.',
    fix: 'Get a new token, if the account may have one.',
  },
  wrong_audience: {
    cause: 'The token is for another relay.',
    fix: 'Make publicUrl the address that agents use, and sign grants for this relay.',
  },
  wrong_issuer: {
    cause: 'The token, or the session, is from somebody whom this relay does not know.',
    fix: 'Check `sessions` and `publicUrl` in the relay’s configuration.',
  },
  invalid_grant: {
    cause: 'The grant’s signature or content does not fit.',
    fix: 'Sign it with createGrant() and a key in the relay’s `grants`; check the key’s secret on both sides.',
  },
  grant_expired: {
    cause: 'The grant was presented too late.',
    fix: 'Swap a grant at once after signing it; check both clocks.',
  },
  grant_used: {
    cause: 'This very grant was swapped before: it may have been copied.',
    fix: 'Sign a new one for each token.',
  },
  invalid_session: {
    cause: 'The session JWT’s signature or claims do not fit.',
    fix: 'Check issuer, audience, algorithms and jwksUrl in `sessions`.',
  },
  session_expired: {
    cause: 'The user’s session has ended.',
    fix: 'Let the user log in again; events wait for that.',
  },
  forbidden: {
    cause: 'Something other than the console’s own page used the console’s session.',
    fix: 'Open the console itself; programs use the operator’s API with the admin key.',
  },
  not_found: {
    cause: 'There is nothing at this path, or nothing of this id.',
    fix: 'Check the address; the operator’s API has a port of its own.',
  },
  method_not_allowed: {
    cause: 'The path exists for another method.',
    fix: 'See the answer’s Allow header.',
  },
  body_timeout: {
    cause: 'The body did not arrive in time.',
    fix: 'Look for a slow network or a proxy that holds bodies back; send smaller batches.',
  },
  conflict: {
    cause: 'It cannot be done in this state, as when a dead letter must be edited first.',
    fix: 'Do what the detail says, then try again.',
  },
  body_too_large: {
    cause: 'The body is over maxWireBytes.',
    fix: 'Agents halve their batches by themselves; others send less at a time.',
  },
  inflated_too_large: {
    cause: 'The body is over maxBodyBytes when it is inflated.',
    fix: 'As for body_too_large.',
  },
  ratio_too_high: {
    cause: 'The body inflates beyond maxInflateRatio: so does a bomb.',
    fix: 'Send less repetitive data at a time, or raise the limit.',
  },
  too_complex: {
    cause: 'The body has more values than maxValues.',
    fix: 'Send fewer events at a time.',
  },
  too_many_events: {
    cause: 'The batch has more events or segments than the relay takes at once.',
    fix: 'Send fewer at a time; agents learn it by themselves.',
  },
  unsupported_encoding: {
    cause: 'The body is compressed by something other than gzip.',
    fix: 'Use gzip or nothing.',
  },
  unsupported_media_type: {
    cause: 'The content type is not the one of this path.',
    fix: 'application/json for events and tokens, text/plain for /v1/exit.',
  },
  rate_limited: {
    cause: 'This address, device, account or tenant makes too many requests.',
    fix: 'Wait for Retry-After, as agents do; raise the limits if the traffic is rightful.',
  },
  internal: {
    cause: 'The relay failed.',
    fix: 'See its log. Nothing was acknowledged: the same request is safe to repeat.',
  },
  overloaded: {
    cause: 'The relay works on as many bytes as it may.',
    fix: 'Nothing was acknowledged: wait for Retry-After. Give it more memory (maxOpenBytes) or more processes.',
  },
  unavailable: {
    cause: 'The store cannot write, the disk is nearly full, the backlog is at its limit, or the relay is stopping.',
    fix: 'Nothing was acknowledged: wait for Retry-After. /readyz and the log say what is missing.',
  },
}
