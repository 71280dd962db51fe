/** The process, as far as the command line needs it. */
export interface CliHost {
  readonly argv: readonly string[]
  readonly version: string
  readonly canRunTypeScript: boolean
  readonly clock: () => number
  readonly fetch: typeof fetch
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Where progress is shown. */
  readonly errStream: NodeJS.WritableStream
  writeOut(text: string): void
  writeErr(text: string): void
  onSignal(handler: (signal: string) => void): void
  exit(code: number): void
}
