import type { Claims } from '../claims.ts'
import type { RelayLimits } from '../contract.ts'
import { HttpProblem } from '../problem.ts'
import { createTokenBuckets, type Draw, type TokenBuckets } from './token-buckets.ts'

export type BucketName = 'address' | 'device' | 'account' | 'tenant'

export type RateHeaders = Readonly<Record<string, string>>

export interface RateLimits {
  /** Before anything is read or checked. Errors: HttpProblem rate_limited. */
  address(address: string): RateHeaders
  /** Once the token is known, before the body is read. Errors: HttpProblem rate_limited. */
  owner(claims: Claims): RateHeaders
  /** The account alone, where requests of all its devices meet that others let in. Errors: HttpProblem rate_limited. */
  account(owner: Pick<Claims, 'tenant' | 'account'>): RateHeaders
}

type Limits = Pick<RelayLimits, 'addressPerMinute' | 'devicePerMinute' | 'accountPerMinute' | 'tenantPerMinute'>

const MAX_KEYS = 100_000

/**
 * Token buckets per address, device, account and tenant. The headers are those of the IETF's RateLimit fields:
 * `RateLimit: "device";r=<left>;t=<seconds>` and `RateLimit-Policy: "device";q=<quota>;w=60`.
 */
export function createRateLimits(deps: {
  readonly limits: Limits
  readonly clock: () => number
  /** Told of each refusal. */
  readonly onRefusal: (bucket: BucketName) => void
}): RateLimits {
  const { limits, clock, onRefusal } = deps
  const addresses = createTokenBuckets(MAX_KEYS)
  const owners = createTokenBuckets(MAX_KEYS)

  function draw(buckets: TokenBuckets, name: BucketName, key: string, perMinute: number): RateHeaders {
    const drawn = buckets.draw(`${name} ${key}`, perMinute, clock())
    const headers = rateHeaders(name, perMinute, drawn)
    if (drawn.isAllowed) return headers
    onRefusal(name)
    const retryAfterS = String(Math.ceil(drawn.waitMs / 1000))
    const detail = `This ${name} may send ${perMinute} requests a minute: wait ${retryAfterS} s, and send larger batches.`
    throw new HttpProblem('rate_limited', detail, { ...headers, 'Retry-After': retryAfterS })
  }

  const drawAccount: RateLimits['account'] = (owner) => draw(owners, 'account', keyOf(owner), limits.accountPerMinute)

  return {
    address: (address) => draw(addresses, 'address', addressKey(address), limits.addressPerMinute),
    owner({ tenant, account, device, ratePerMinute }) {
      draw(owners, 'tenant', tenant, limits.tenantPerMinute)
      drawAccount({ tenant, account })
      return draw(owners, 'device', `${keyOf({ tenant, account })} ${device}`, ratePerMinute ?? limits.devicePerMinute)
    },
    account: drawAccount,
  }
}

function keyOf({ tenant, account }: Pick<Claims, 'tenant' | 'account'>): string {
  return JSON.stringify([tenant, account])
}

function rateHeaders(name: BucketName, perMinute: number, { remaining, waitMs }: Draw): RateHeaders {
  return {
    RateLimit: `"${name}";r=${remaining};t=${Math.ceil(waitMs / 1000)}`,
    'RateLimit-Policy': `"${name}";q=${perMinute};w=60`,
  }
}

/** An IPv6 customer has a whole /64, and would have 2^64 buckets otherwise. */
export function addressKey(address: string): string {
  const plain = address.toLowerCase().replace(/%.*$/, '')
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(plain)?.[1]
  if (mapped !== undefined) return mapped
  if (!plain.includes(':')) return plain
  const [head = '', tail] = plain.split('::') as [string, string?]
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length)
  const groups = [...left, ...Array<string>(zeros).fill('0'), ...right]
  return groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')
}
