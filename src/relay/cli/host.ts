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
  /** Adds a file's variables to the environment; those that are set stay. Throws when it cannot be read. */
  loadEnvironment(file: string): void
  /** 32 random bytes as text, another each time. */
  createSecret(): string
  writeOut(text: string): void
  writeErr(text: string): void
  onSignal(handler: (signal: string) => void): void
  /** Calls back when somebody asks for new workers in place of the old ones. */
  onRestart(handler: () => void): void
  exit(code: number): void
}
