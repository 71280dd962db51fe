/** The page that a replay drives: an ordinary page with an ordinary agent, fed from outside. */
import { createAgent, type Receipt } from '../../../src/index.ts'
import { webRequests } from '../../meters.ts'
import { backEnd } from '../../product/page/back-end.ts'
import { setText, whole } from '../../product/page/dom.ts'
import type { OutboxLook, ReplayPage } from '../contract.ts'
import { readUsageLine } from '../usage-line.ts'

/** A replay is hasty: it wants to see the end. */
const FLUSH_INTERVAL_MS = 500

async function openReplay(): Promise<ReplayPage> {
  const { relay, outbox, user } = await backEnd.login('importer')
  const usage = createAgent({
    relay,
    outbox: `${outbox}-replay`,
    token: backEnd.usageToken,
    meters: [webRequests],
    account: user?.account ?? '',
    flushIntervalMs: FLUSH_INTERVAL_MS,
  })

  const record = (line: string): Receipt => {
    const { data, atMs } = readUsageLine(line)
    // The schema decides whether the data fit; a line that does not is refused with a typed error.
    return usage.record(webRequests, data as Parameters<typeof usage.record<typeof webRequests>>[1], { at: atMs })
  }
  const show = (): void => void setText('recorded', whole(usage.stats().recorded))

  return {
    async feed(lines) {
      const taken = lines.map(record).filter(({ error }) => error === undefined)
      await Promise.all(taken.map(({ durable }) => durable))
      show()
    },
    async feedOneByOne(lines) {
      let durableReceipts = 0
      for (const [index, line] of lines.entries()) {
        const { error, durable } = record(line)
        if (!error) void durable.then(() => durableReceipts++)
        if (index === lines.length >> 1) void window.replayHalfway?.(durableReceipts)
        // A macrotask between two lines: each becomes a transaction of its own.
        await new Promise((resolve) => setTimeout(resolve))
      }
    },
    stats: () => usage.stats(),
    async look(): Promise<OutboxLook> {
      // A stream's row is written in the transaction that stores its events, so `recorded` counts exactly what is
      // durable, whatever a killed page still had in memory. Rows outlive delivery by a week at least.
      const streams = await usage.streams()
      let recorded = 0
      let waiting = 0
      for (const stream of streams) {
        const dropped = Object.values(stream.dropped).reduce((sum, count) => sum + count, 0)
        recorded += stream.recorded
        waiting += stream.recorded - stream.settled - stream.dead - dropped
      }
      return { recorded, waiting }
    },
  }
}

window.replay = await openReplay()
