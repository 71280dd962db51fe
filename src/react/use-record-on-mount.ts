import { useEffect, useRef } from 'react'
import type { RecordOptions } from '../agent/agent.ts'
import type { Meter, MeterInput } from '../meter/contract.ts'
import { useUsage } from './use-usage.ts'

/**
 * Records one event for each time that the component comes into the page: one under StrictMode, too, whose effects run
 * twice. What data and options are later does not matter.
 *
 * @example useRecordOnMount(reportViews, { report: 'margins', quantity: 1 })
 */
export function useRecordOnMount<M extends Meter>(meter: M, data: MeterInput<M>, options?: RecordOptions): void {
  const usage = useUsage()
  const isDone = useRef(false)
  const first = useRef({ meter, data, options })
  useEffect(() => {
    if (isDone.current) return
    isDone.current = true
    const { meter, data, options } = first.current
    usage.record(meter, data, options)
  }, [usage])
}
