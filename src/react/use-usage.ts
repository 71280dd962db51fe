import type { Agent } from '../agent/agent.ts'
import { useProvided } from './context.ts'

/**
 * The nearest provider's agent, the same object for as long as the provider is there. Record in event handlers (or see
 * useRecordOnMount), never while rendering: React may render twice, or in vain.
 *
 * @throws MetertapError `bad_option` when there is no provider above.
 * @example
 * const usage = useUsage()
 * return <button onClick={() => usage.record(exports, { format: 'pdf', quantity: 1 })}>Export</button>
 */
export function useUsage(): Agent {
  return useProvided()
}
