/** What a server knows of a request beside the request itself. */
export interface RequestInfo {
  /** The client's address, as the connection or a trusted proxy says. Without it there is no limit by address. */
  readonly address?: string | undefined
}

export interface RelayEnv {
  Bindings: RequestInfo
}
