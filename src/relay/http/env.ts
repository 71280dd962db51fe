/** What a server knows of a request beside the request itself. */
export interface RequestInfo {
  /** The client's address, as the connection or a trusted proxy says. Without it there is no limit by address. */
  readonly address?: string | undefined
  /** The request's body, where the server has it in a form that costs less than the request's stream. Reads it once. */
  readonly readBody?: (() => AsyncIterator<Uint8Array>) | undefined
}

export interface RelayEnv {
  Bindings: RequestInfo
}
