export interface PurgeOptions {
  readonly reason: string
  /** Default: all tags. */
  readonly accountTag?: string
}

export interface DropOptions extends PurgeOptions {
  /** How much to free; whole segments go, so it may become more. */
  readonly bytes: number
  readonly nowMs: number
}
