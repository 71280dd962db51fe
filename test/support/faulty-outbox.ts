import type { Outbox } from '../../src/outbox/contract.ts'
import { MetertapError } from '../../src/wire/errors.ts'

/** What becomes of a call: it works; it fails; or it works and yet says that it failed (in doubt). */
export type Fault = 'ok' | 'full' | 'unavailable' | 'doubt'

/** Calls whose answer may get lost on the way back. */
const MAY_BE_IN_DOUBT = new Set<keyof Outbox>(['append', 'settle', 'claim', 'release'])

export interface FaultyOutbox extends Outbox {
  /** Asked before each call but close() and deviceId(). */
  plan: (method: keyof Outbox) => Fault
  /** Calls that reached it, failed ones too. */
  readonly calls: (keyof Outbox)[]
}

function failure(fault: Fault): MetertapError {
  return fault === 'full'
    ? new MetertapError('outbox_full', 'No room, says the test.')
    : new MetertapError('outbox_unavailable', 'No connection, says the test.')
}

/** An outbox over a real one whose calls fail as a test wants. */
export function faultyOutbox(real: Outbox): FaultyOutbox {
  const calls: (keyof Outbox)[] = []
  const faulty = { ...real, calls, plan: () => 'ok' } as FaultyOutbox
  for (const method of Object.keys(real) as (keyof Outbox)[]) {
    const call = real[method]
    if (typeof call !== 'function' || method === 'close' || method === 'deviceId') continue
    Object.assign(faulty, {
      async [method](...args: unknown[]) {
        calls.push(method)
        const planned = faulty.plan(method)
        const fault = planned === 'doubt' && !MAY_BE_IN_DOUBT.has(method) ? 'unavailable' : planned
        if (fault === 'full' || fault === 'unavailable') throw failure(fault)
        const answer = await (call as (...args: unknown[]) => Promise<unknown>)(...args)
        if (fault === 'doubt') throw failure(fault)
        return answer
      },
    })
  }
  return faulty
}
