import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { describe, expect, test } from 'vitest'
import type { FromWorker, ToWorker } from '../../src/relay/cli/workers/contract.ts'
import { createMetricsDesk } from '../../src/relay/cli/workers/metrics-desk.ts'
import { openSiblings } from '../../src/relay/cli/workers/open-siblings.ts'
import type { Siblings } from '../../src/relay/operate/siblings.ts'

/** Workers whose lines are function calls, and timers that end when told. */
function openWorkers() {
  const timers = new Set<() => void>()
  const desk = createMetricsDesk((callback) => {
    timers.add(callback)
    return () => void timers.delete(callback)
  })

  function start(id: number) {
    const registers = [new Registry()]
    const events = new Counter({ name: 'events', help: 'h', labelNames: ['outcome'], registers })
    const seconds = new Histogram({ name: 'seconds', help: 'h', buckets: [1], registers })
    const open = new Gauge({ name: 'open', help: 'h', registers, aggregator: 'sum' })
    const state = new Gauge({ name: 'state', help: 'h', registers, aggregator: 'max' })
    let handler: (message: unknown) => void = () => {}
    let isSilent = false
    const line = { id, send: (message: ToWorker) => handler(structuredClone(message)) }
    const siblings: Siblings = openSiblings({
      send(message: FromWorker) {
        if (!isSilent || message.metertap !== 'told') desk.onMessage(line, structuredClone(message))
      },
      onMessage: (given) => {
        handler = given
      },
    })
    siblings.join(async () => (await registers[0]?.getMetricsAsJSON()) ?? [])
    return {
      ...{ events, seconds, open, state },
      hang: () => {
        isSilent = true
      },
      end() {
        handler = () => {}
        desk.onExit(id)
      },
      sayAfterwards: (message: FromWorker) => desk.onMessage(line, message),
      lines: async () => (await siblings.text()).split('\n'),
    }
  }
  function endTimers(): void {
    for (const end of timers) end()
  }

  return { start, endTimers }
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('the metrics of workers', () => {
  test('are one answer: what is counted is added up, a state is the highest of all', async () => {
    const { start } = openWorkers()
    const [a, b] = [start(1), start(2)]
    await settled()
    a.events.inc({ outcome: 'stored' }, 3)
    b.events.inc({ outcome: 'stored' }, 4)
    b.events.inc({ outcome: 'rejected' }, 1)
    a.seconds.observe(0.5)
    b.seconds.observe(2)
    for (const each of [a, b]) each.open.set(10)
    b.state.set(1)
    for (const { lines } of [a, b]) {
      expect(await lines()).toEqual(
        expect.arrayContaining([
          ...['events{outcome="stored"} 7', 'events{outcome="rejected"} 1', 'open 20', 'state 1'],
          ...['seconds_bucket{le="1"} 1', 'seconds_bucket{le="+Inf"} 2', 'seconds_sum 2.5', 'seconds_count 2'],
        ]),
      )
    }
  })

  test('keep what one had counted that has ended, again and again; its states go with it', async () => {
    const { start } = openWorkers()
    const first = start(1)
    await settled()
    for (let id = 2; id < 5; id++) {
      const worker = start(id)
      await settled()
      worker.events.inc({ outcome: 'stored' }, 5)
      worker.seconds.observe(0.5)
      worker.open.set(7)
      expect(await first.lines()).toContain(`events{outcome="stored"} ${5 * (id - 1)}`)
      worker.end()
      const lines = await first.lines()
      expect(lines).toContain(`events{outcome="stored"} ${5 * (id - 1)}`)
      expect(lines).toContain(`seconds_count ${id - 1}`)
      expect(lines).toContain('open 0')
    }
  })

  test('of one that does not answer are what it told last, without its states', async () => {
    const { start, endTimers } = openWorkers()
    const [well, busy] = [start(1), start(2)]
    await settled()
    busy.events.inc({ outcome: 'stored' }, 5)
    busy.open.set(7)
    expect(await well.lines()).toContain('open 7')
    busy.hang()
    busy.events.inc({ outcome: 'stored' }, 100)
    const asked = well.lines()
    await settled()
    endTimers()
    const lines = await asked
    expect(lines).toContain('events{outcome="stored"} 5')
    expect(lines).toContain('open 0')
  })

  test('of one that ends while it is asked keep nobody waiting', async () => {
    const { start } = openWorkers()
    const [well, busy] = [start(1), start(2)]
    await settled()
    busy.hang()
    const asked = well.lines()
    await settled()
    busy.end()
    expect(await asked).toContain('open 0')
  })

  test('of one that has ended keep nobody waiting, though its last words come after its end', async () => {
    const { start } = openWorkers()
    const [well, gone] = [start(1), start(2)]
    await settled()
    gone.end()
    gone.sayAfterwards({ metertap: 'here', snapshot: [] })
    expect(await well.lines()).toContain('open 0')
  })

  test('do not fall when an earlier answer comes after a later one', async () => {
    const { start, endTimers } = openWorkers()
    const [well, busy] = [start(1), start(2)]
    await settled()
    busy.events.inc({ outcome: 'stored' }, 5)
    expect(await well.lines()).toContain('events{outcome="stored"} 5')
    busy.hang()
    busy.sayAfterwards({ metertap: 'told', round: 0, snapshot: [] })
    const asked = well.lines()
    await settled()
    endTimers()
    expect(await asked).toContain('events{outcome="stored"} 5')
  })
})
