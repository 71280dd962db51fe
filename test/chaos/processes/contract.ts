/** What a relay's process is told at its start. */
export interface RelayProcessOptions {
  readonly publicUrl: string
  readonly port: number
  readonly adminPort: number
  readonly database: string
  readonly upstream: string
  readonly client: { readonly clientId: string; readonly clientSecret: string }
  readonly keyId: string
  readonly grantSecret: string
  readonly adminKey: string
  readonly origin: string
}

/** What a recording Node process is told at its start. */
export interface NodeAgentProcessOptions {
  readonly folder: string
  readonly relay: string
  readonly account: string
  readonly tokenUrl: string
  /** How far its clock is off. */
  readonly clockMs: number
}
