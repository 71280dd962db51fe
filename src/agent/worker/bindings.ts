import { MetertapError } from '../../wire/errors.ts'

/** The part of an ExecutionContext, or of a Durable Object's state, that is needed. */
export interface WaitUntil {
  /** Keeps the Worker alive until the promise is settled. */
  waitUntil(promise: Promise<unknown>): void
}

/** The part of a Durable Object namespace that is needed. */
export interface OutboxNamespace {
  /** The id of the object that holds an account's events. */
  idFromName(name: string): object
  /** The object of an id. */
  get(id: never): object
}

/** Gives a token for an account that may record these meters. */
export type AccountTokens = (account: string, meters: readonly string[], device: string) => Promise<string>

/** How to reach the relay, and as whom. */
export interface RelayAccess {
  readonly relay: string
  readonly token: AccountTokens
  /** Undefined: the runtime's own. */
  readonly fetch: typeof globalThis.fetch | undefined
}

/** What code may say instead of bindings. */
export interface RelayOptions {
  /** The relay's origin, such as https://usage.acme.com. Default: `env.METERTAP_RELAY`. */
  readonly relay?: string
  /**
   * Gives a token for an account. Default: grants signed with `env.METERTAP_GRANT_KEY_ID` and
   * `env.METERTAP_GRANT_SECRET`, swapped at the relay.
   */
  readonly token?: AccountTokens
  /** Default: that of the service binding `env.USAGE_RELAY` when there is one, else the global one. */
  readonly fetch?: typeof globalThis.fetch
}

/** Makes tokens of grants. */
export type GrantTokens = (options: {
  readonly relay: string
  readonly keyId: string
  readonly secret: string
  readonly account: string
  readonly device: string
  readonly meters: readonly string[]
  readonly fetch?: typeof globalThis.fetch
}) => () => Promise<string>

const FIXES = {
  METERTAP_RELAY: 'Add it to "vars" in wrangler.jsonc, such as "METERTAP_RELAY": "https://usage.acme.com"',
  METERTAP_GRANT_KEY_ID: 'Add it to "vars" in wrangler.jsonc: the id of one of the relay’s grant keys',
  METERTAP_GRANT_SECRET: 'Set it with: npx wrangler secret put METERTAP_GRANT_SECRET (the secret of that grant key)',
} as const

type Binding = keyof typeof FIXES

/** Whether the environment, or code, says anything of a relay at all. */
export function namesRelay(env: object, { relay, token }: RelayOptions): boolean {
  const given = env as Readonly<Record<string, unknown>>
  return relay !== undefined || token !== undefined || Object.keys(FIXES).some((name) => given[name] !== undefined)
}

/**
 * The way to the relay by options, and by bindings where options are silent.
 * @throws MetertapError `bad_option`; `detail.binding` is the binding that is missing or cannot be used.
 */
export function relayAccess(env: object, options: RelayOptions, grantTokens: GrantTokens): RelayAccess {
  const relay = relayOrigin(options.relay ?? text(env, 'METERTAP_RELAY'))
  const fetch = options.fetch ?? serviceFetch(env)
  if (options.token) return { relay, token: options.token, fetch }
  const keyId = text(env, 'METERTAP_GRANT_KEY_ID')
  const secret = text(env, 'METERTAP_GRANT_SECRET')
  if (new TextEncoder().encode(secret).length < 32) throw unusable('METERTAP_GRANT_SECRET', 'is shorter than 32 bytes')
  const grant = { relay, keyId, secret, ...(fetch ? { fetch } : {}) }
  return { relay, fetch, token: (account, meters, device) => grantTokens({ ...grant, account, meters, device })() }
}

/**
 * The namespace of the Durable Objects that keep events; undefined where there is none.
 * @throws MetertapError `bad_option` when the binding is something else.
 */
export function outboxNamespace(env: object, given?: OutboxNamespace | null): OutboxNamespace | undefined {
  const namespace = given === undefined ? (env as { USAGE_OUTBOX?: unknown }).USAGE_OUTBOX : given
  if (namespace === undefined || namespace === null) return undefined
  const { idFromName, get } = namespace as Partial<OutboxNamespace>
  if (typeof idFromName === 'function' && typeof get === 'function') return namespace as OutboxNamespace
  const fix =
    'Bind it in wrangler.jsonc: "durable_objects": { "bindings": [{ "name": "USAGE_OUTBOX", "class_name": "UsageOutbox" }] }'
  throw new MetertapError('bad_option', `env.USAGE_OUTBOX is no Durable Object namespace. ${fix}.`, {
    binding: 'USAGE_OUTBOX',
  })
}

function text(env: object, name: Binding): string {
  const value = (env as Readonly<Record<string, unknown>>)[name]
  if (value === undefined || value === '') throw unusable(name, 'is missing')
  if (typeof value !== 'string') throw unusable(name, 'is no text')
  return value
}

function relayOrigin(relay: string): string {
  const url = URL.canParse(relay) ? new URL(relay) : undefined
  if (!url || !/^https?:$/.test(url.protocol)) throw unusable('METERTAP_RELAY', 'is no address')
  if (url.username || url.password || url.search || url.hash) {
    throw unusable('METERTAP_RELAY', 'holds a user name, a query or a fragment')
  }
  return url.href.replace(/\/+$/, '')
}

function serviceFetch(env: object): typeof globalThis.fetch | undefined {
  const { USAGE_RELAY: service } = env as { USAGE_RELAY?: { fetch?: typeof globalThis.fetch } }
  // Called on its binding, or it is an illegal invocation.
  return typeof service?.fetch === 'function'
    ? (input, init) => service.fetch?.(input, init) as Promise<Response>
    : undefined
}

/** The value itself is never named: it may be a secret. */
function unusable(binding: Binding, what: string): MetertapError {
  return new MetertapError('bad_option', `env.${binding} ${what}. ${FIXES[binding]}.`, { binding })
}
