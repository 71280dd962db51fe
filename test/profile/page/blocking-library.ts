/** A library that sends some of its events and then never gives the page's thread back. */
import type { BenchEvent, Subject } from '../../../bench/page/contract.ts'

let sinkUrl = ''

export const subject: Subject = {
  start({ sink }) {
    sinkUrl = sink
  },
  record({ data: { n } }: BenchEvent) {
    if (n < 2) void fetch(`${sinkUrl}/events`, { method: 'POST', body: JSON.stringify([n]) })
    else
      setTimeout(() => {
        for (;;);
      }, 500)
  },
}
