import type { AdminOptions, PostgresOptions, RelayOptions, ZuoraOptions } from '../contract.ts'

type SecretsOptional<T, Keys extends keyof T> = Omit<T, Keys> & { readonly [K in Keys]?: T[K] | undefined }

/**
 * RelayOptions whose secrets may be left out and come from the environment:
 * `METERTAP_ZUORA_CLIENT_ID`, `METERTAP_ZUORA_CLIENT_SECRET`, `METERTAP_ADMIN_KEY`, `METERTAP_POSTGRES_URL` (where
 * `store` names no file: `store: {}`), and for each key of `grants`
 * `METERTAP_GRANT_SECRET_<KEY ID>` (upper case, other characters than letters and digits as `_`).
 * Each may be in a file instead, named by the same variable with `_FILE` behind it, as containers mount secrets.
 */
export interface RelayConfig extends Omit<RelayOptions, 'store' | 'upstream' | 'grants' | 'admin'> {
  /** Where events are kept: a file for one relay, or PostgreSQL for any number of them. */
  readonly store: { readonly sqlite: string } | SecretsOptional<PostgresOptions, 'postgres'>
  /** Zuora, with credentials here or from the environment. */
  readonly upstream: SecretsOptional<ZuoraOptions, 'clientId' | 'clientSecret'>
  /** Keys of your back ends, for signing grants; secrets here or from the environment. Default: none. */
  readonly grants?: readonly SecretsOptional<GrantKey, 'secret'>[]
  /** The operator's API and console. Default: none, unless the environment has a key. */
  readonly admin?: SecretsOptional<AdminOptions, 'key'>
}

type GrantKey = NonNullable<RelayOptions['grants']>[number]

/**
 * Types a relay's configuration and gives it back as it is; createRelay() checks it.
 *
 * @example
 * // relay.config.ts
 * export default defineRelayConfig({
 *   publicUrl: 'https://usage.example.com',
 *   store: { sqlite: './usage.db' },
 *   meters: [{ meter: apiCalls, upstream: { meterGlobalId: '…', fields: { UsageIdentifier: 'id', UsageDate: 'at', CustomerId: 'account', Quantity: 'data.quantity' } } }],
 *   upstream: { restBase: 'https://rest.zuora.com' },
 *   grants: [{ keyId: 'app' }],
 *   origins: ['https://app.example.com'],
 * })
 */
export function defineRelayConfig(config: RelayConfig): RelayConfig {
  return config
}
