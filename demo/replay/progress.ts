import { MultiBar, Presets } from 'cli-progress'

/** Shows how far the replay is; on stderr, so that stdout holds the result alone. */
export interface Progress {
  durable(events: number): void
  upstream(events: number): void
  /** A line of its own, above the bars. */
  tell(story: string): void
  stop(): void
}

const FORMAT = '{name} {bar} {percentage} % · {value}/{total}'

/** Bars on a terminal; elsewhere a line for every tenth. */
export function createProgress(total: number, stream: NodeJS.WriteStream): Progress {
  return stream.isTTY ? createBars(total, stream) : createLines(total, stream)
}

function createBars(total: number, stream: NodeJS.WriteStream): Progress {
  // Ctrl-C is for the demo to handle, which stops the bars too.
  const options = { format: FORMAT, stream, hideCursor: true, barsize: 30, gracefulExit: false }
  const bars = new MultiBar(options, Presets.shades_classic)
  const durable = bars.create(total, 0, { name: 'on disk ' })
  const upstream = bars.create(total, 0, { name: 'in Zuora' })
  return {
    durable: (events) => durable.update(events),
    upstream: (events) => upstream.update(events),
    tell: (story) => bars.log(`${story}\n`),
    stop() {
      // Stories still wait for the next redraw.
      bars.update()
      bars.stop()
    },
  }
}

function createLines(total: number, stream: NodeJS.WriteStream): Progress {
  let tenths = 0
  let durable = 0
  let upstream = 0
  const show = (): void => {
    const now = Math.floor(((durable + upstream) * 5) / total)
    if (now <= tenths) return
    tenths = now
    stream.write(`${tenths * 10} % · on disk ${durable}/${total} · in Zuora ${upstream}/${total}\n`)
  }
  return {
    durable(events) {
      durable = events
      show()
    },
    upstream(events) {
      upstream = events
      show()
    },
    tell: (story) => void stream.write(`${story}\n`),
    stop: () => {},
  }
}
