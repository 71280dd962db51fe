/**
 * The least of Cloudflare's own types that this project needs. A Worker's project has the whole of them, from `wrangler
 * types` or @cloudflare/workers-types; those are no part of this one, since they declare every global anew.
 */
declare module 'cloudflare:workers' {
  export interface ExecutionContext {
    waitUntil(promise: Promise<unknown>): void
  }
  export interface DurableObjectId {
    readonly name?: string
    toString(): string
  }
  export interface DurableObjectStub {
    readonly id: DurableObjectId
    fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response>
  }
  export interface DurableObjectNamespace<Stub = unknown> {
    idFromName(name: string): DurableObjectId
    get(id: DurableObjectId): DurableObjectStub & Stub
  }
  export interface SqlCursor extends Iterable<Record<string, unknown>> {
    toArray(): Record<string, unknown>[]
    readonly rowsWritten: number
  }
  export interface DurableObjectStorage {
    readonly sql: { exec(sql: string, ...parameters: unknown[]): SqlCursor; readonly databaseSize: number }
    transactionSync<T>(work: () => T): T
    transaction<T>(work: () => Promise<T>): Promise<T>
    getAlarm(): Promise<number | null>
    setAlarm(atMs: number): Promise<void>
    deleteAlarm(): Promise<void>
    sync(): Promise<void>
    getBookmarkForTime(atMs: number): Promise<string>
    /** Gives the bookmark that undoes it. */
    onNextSessionRestoreBookmark(bookmark: string): Promise<string>
  }
  export interface DurableObjectState {
    readonly id: DurableObjectId
    readonly storage: DurableObjectStorage
    waitUntil(promise: Promise<unknown>): void
    abort(reason?: string): void
    blockConcurrencyWhile<T>(work: () => Promise<T>): Promise<T>
  }
  export abstract class DurableObject<Env = unknown> {
    protected ctx: DurableObjectState
    protected env: Env
    constructor(ctx: DurableObjectState, env: Env)
  }
  export const env: Record<string, unknown>
}
