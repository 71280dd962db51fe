import { SignJWT } from 'jose'
import { METER_NAME } from '../../meter/contract.ts'
import { MetertapError } from '../../wire/errors.ts'
import { isCleanText } from '../clean-text.ts'

export const GRANT_TYPE = 'metertap-grant+jwt'
export const GRANT_ALG = 'HS256'
const DEFAULT_GRANT_LIFE_S = 60
/** Longest life of a grant, s. */
export const MAX_GRANT_LIFE_S = 300
/** Most meters in a grant: the token travels in a header, which servers and proxies cap at 8–16 KiB. */
export const MAX_GRANT_METERS = 100
/** HMAC-SHA-256 wants a key at least as long as its output. */
export const MIN_SECRET_BYTES = 32

/** What a grant says, and what it is signed with. */
export interface GrantOptions {
  /** Which of the relay's `grants` keys signs. */
  readonly keyId: string
  /** That key's secret, at least 32 bytes. */
  readonly secret: string
  /** Who is billed: the account of the user that your back end has authenticated. 1–200 characters. */
  readonly account: string
  /** Which of the account's devices, sessions or seats; shown in the ledger. 1–200 characters. */
  readonly device: string
  /** Names of the meters that this user may record. An empty list means none; at most 100. */
  readonly meters: readonly string[]
  /** Requests that this device may send, per minute: 1–1,000,000. Default: the relay's own limit. */
  readonly ratePerMinute?: number
  /** How long the grant may be swapped for a token, s. Default 60, at most 300. */
  readonly expiresInS?: number
}

export interface GrantDeps {
  readonly clock: () => number
  readonly uuid: () => string
}

/**
 * Makes a grant in the application's back end, for its logged-in user; the browser swaps it for a token at
 * `POST /v1/token`, once. A compact JWS (HS256).
 *
 * Errors: MetertapError bad_option, naming the option.
 *
 * @example
 * app.get('/usage-grant', requireLogin, async (req, res) => {
 *   res.send(await createGrant({ keyId: 'app', secret, account: req.user.accountId, device: req.session.id, meters: ['api_calls'] }))
 * })
 */
export async function createGrant(
  options: GrantOptions,
  { clock, uuid }: GrantDeps = { clock: Date.now, uuid: () => crypto.randomUUID() },
): Promise<string> {
  checkGrant(options)
  const { keyId, account, device, meters, ratePerMinute, expiresInS = DEFAULT_GRANT_LIFE_S } = options
  const nowS = Math.floor(clock() / 1000)
  return await new SignJWT({
    device,
    meters: [...meters],
    ...(ratePerMinute === undefined ? {} : { rate: ratePerMinute }),
  })
    .setProtectedHeader({ alg: GRANT_ALG, typ: GRANT_TYPE, kid: keyId })
    .setSubject(account)
    .setJti(uuid())
    .setIssuedAt(nowS)
    .setExpirationTime(nowS + expiresInS)
    .sign(new TextEncoder().encode(options.secret))
}

/** @throws MetertapError bad_option, naming the option. */
export function checkGrant(options: GrantOptions): void {
  const { keyId, secret, account, device, meters, ratePerMinute, expiresInS = DEFAULT_GRANT_LIFE_S } = options
  if (typeof keyId !== 'string' || keyId === '') fail('keyId', "give the id of one of the relay's grant keys")
  if (typeof secret !== 'string' || byteLength(secret) < MIN_SECRET_BYTES) {
    fail('secret', `give at least ${MIN_SECRET_BYTES} random bytes, such as the output of: openssl rand -base64 32`)
  }
  if (!isCleanText(account)) fail('account', 'give 1 to 200 characters, none of them a control character')
  if (!isCleanText(device)) fail('device', 'give 1 to 200 characters, none of them a control character')
  if (!areMeterNames(meters)) {
    fail('meters', `give a list of at most ${MAX_GRANT_METERS} meter names; an empty list allows none`)
  }
  if (ratePerMinute !== undefined && !isWhole(ratePerMinute, 1_000_000)) {
    fail('ratePerMinute', 'give a whole number from 1 to 1000000')
  }
  if (!isWhole(expiresInS, MAX_GRANT_LIFE_S)) {
    fail('expiresInS', `give whole seconds from 1 to ${MAX_GRANT_LIFE_S}`)
  }
}

function isWhole(value: number, most: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= most
}

function areMeterNames(value: unknown): boolean {
  if (!Array.isArray(value) || value.length > MAX_GRANT_METERS) return false
  return value.every((name) => typeof name === 'string' && METER_NAME.test(name))
}

/** Length in UTF-8 bytes. */
export function byteLength(text: string): number {
  return new TextEncoder().encode(text).byteLength
}

function fail(option: string, fix: string): never {
  throw new MetertapError('bad_option', `createGrant: ${option} does not fit: ${fix}.`, { option })
}
