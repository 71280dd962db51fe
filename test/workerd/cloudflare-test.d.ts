/** The parts of the plugin's own module that the tests use; its types would bring the whole of Cloudflare's globals. */
declare module 'cloudflare:test' {
  import type {
    DurableObjectNamespace,
    DurableObjectState,
    DurableObjectStub,
    ExecutionContext,
  } from 'cloudflare:workers'

  export interface Env {
    readonly STOREROOM: DurableObjectNamespace
    readonly USAGE_OUTBOX: DurableObjectNamespace
    readonly PLAIN_OUTBOX: DurableObjectNamespace
    readonly [name: string]: unknown
  }
  export const env: Env
  /** Runs the callback inside the object, as if it were a request to it. */
  export function runInDurableObject<T, R>(
    stub: DurableObjectStub,
    callback: (instance: T, state: DurableObjectState) => R | Promise<R>,
  ): Promise<R>
  /** Rings the object's alarm now; false when none was set. */
  export function runDurableObjectAlarm(stub: DurableObjectStub): Promise<boolean>
  /** Takes the object out of memory, after its requests are over. */
  export function evictDurableObject(stub: DurableObjectStub): Promise<void>
  /** Ends all objects at once, in the middle of their work. */
  export function abortAllDurableObjects(): Promise<void>
  export function reset(): Promise<void>
  export function createExecutionContext(): ExecutionContext
  export function waitOnExecutionContext(context: ExecutionContext): Promise<void>
}
