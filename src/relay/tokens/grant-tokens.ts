import { MetertapError } from '../../wire/errors.ts'
import { checkGrant, createGrant, type GrantOptions } from './grant.ts'

/** What grantTokens() signs its grants with. */
export interface GrantTokensOptions extends Omit<GrantOptions, 'meters'> {
  /** The relay's origin, such as https://usage.acme.com; the same that createAgent() gets. */
  readonly relay: string
  /** The meters that may be recorded: those that createAgent() gets, or their names. At most 100. */
  readonly meters: readonly (string | { readonly name: string })[]
  /** Longest wait for the relay, ms. Default 10,000. */
  readonly timeoutMs?: number
  /** Default: the runtime's own. */
  readonly fetch?: typeof globalThis.fetch
}

/**
 * Gives createAgent() its tokens where the program itself may hold a grant key: on a server, in a Worker, in a desktop
 * app's main process that fetched it from its user's keychain. Never in a page: whoever has the secret can be any account.
 * Each call of the function it gives signs a grant and swaps it at the relay.
 *
 * Throws MetertapError `bad_option`, naming the option. The function rejects with `token_unavailable`, saying what the
 * relay answered; the secret is in no error.
 *
 * @example
 * const { METERTAP_SECRET: secret } = process.env
 * const token = grantTokens({ relay, keyId: 'backend', secret, account: 'acme', device: hostname(), meters: [apiCalls] })
 * const usage = createAgent({ relay, token, meters: [apiCalls], folder: '/var/lib/app/usage' })
 */
export function grantTokens(options: GrantTokensOptions): () => Promise<string> {
  const { relay, timeoutMs = 10_000, fetch = globalThis.fetch, meters, ...rest } = options
  if (typeof relay !== 'string' || !/^https?:$/.test(URL.parse(relay)?.protocol ?? '')) {
    const text = 'grantTokens: relay does not fit: give the relay’s address, such as https://usage.acme.com.'
    throw new MetertapError('bad_option', text, { option: 'relay' })
  }
  const names = Array.isArray(meters) ? meters.map((each) => (typeof each === 'string' ? each : each?.name)) : meters
  const grant: GrantOptions = { ...rest, meters: names as string[] }
  checkGrant(grant)
  const url = `${relay.replace(/\/+$/, '')}/v1/token`
  return async () => {
    const body = JSON.stringify({ grant: await createGrant(grant) })
    return tokenOf(await ask(fetch, url, body, timeoutMs))
  }
}

async function ask(fetch: typeof globalThis.fetch, url: string, body: string, timeoutMs: number): Promise<Answer> {
  const headers = { 'content-type': 'application/json' }
  const signal = AbortSignal.timeout(timeoutMs)
  try {
    // A redirect would carry the grant elsewhere. Not 'error', which Workers do not know.
    const response = await fetch(url, { method: 'POST', headers, body, redirect: 'manual', signal })
    return { status: response.status, text: await response.text() }
  } catch (error) {
    throw failed(`it did not answer (${(error as Error)?.name ?? typeof error}). Check its address and the network`)
  }
}

interface Answer {
  readonly status: number
  readonly text: string
}

function tokenOf({ status, text }: Answer): string {
  const { token, code, detail } = fieldsOf(text)
  if (status === 200 && typeof token === 'string') return token
  if (status === 200) throw failed('its answer holds no token. Is this the address of a relay?')
  const said = typeof code === 'string' ? `: ${code}${typeof detail === 'string' ? `, ${detail}` : ''}` : ''
  throw failed(`it answered ${status}${said}`)
}

function fieldsOf(text: string): { readonly token?: unknown; readonly code?: unknown; readonly detail?: unknown } {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    return {}
  }
}

function failed(reason: string): MetertapError {
  const text = `The relay gave no token: ${reason.replace(/\.$/, '')}. Events wait in the outbox; the next try follows by itself.`
  return new MetertapError('token_unavailable', text)
}
