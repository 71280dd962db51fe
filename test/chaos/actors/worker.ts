import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type RunningWorker, startWorker } from '../../runtimes/support/worker-world.ts'
import { bundleWorker } from '../../support/workerd.ts'
import type { Book } from '../book.ts'
import type { Actor } from '../contract.ts'
import { untilEmpty } from './until-empty.ts'

export interface WorkerActorOptions {
  readonly name: string
  /** For the Worker's code and its objects. */
  readonly folder: string
  /** METERTAP_RELAY and the grant key. */
  readonly bindings: Readonly<Record<string, string>>
  readonly book: Book
  /** Whether the upstream has the event. */
  readonly hasArrived: (id: string) => boolean
}

const ENTRY = fileURLToPath(new URL('../processes/worker.ts', import.meta.url))
const CLIENTS = 3
const MEAN_PAUSE_MS = 150
const MAX_EVENTS = 20

interface Told {
  readonly id: string | undefined
  readonly durability: string
}

/** A Worker in workerd whose clients never rest, on objects that outlive it. */
export function workerActor({ name, folder, bindings, book, hasArrived }: WorkerActorOptions): Actor {
  const code = join(folder, 'worker.mjs')
  let running: RunningWorker | undefined
  let isResting = false
  let promised: string[] = []
  const clients: Promise<void>[] = []

  const start = async () => {
    running = await startWorker([code, join(folder, 'objects'), JSON.stringify(bindings)])
  }
  const kill = async () => {
    const dying = running
    running = undefined
    await dying?.kill()
  }

  async function ask(path: string): Promise<unknown> {
    const answer = await fetch(`${running?.url}${path}`)
    if (!answer.ok) throw new Error(`The Worker answered ${answer.status}.`)
    return answer.json()
  }

  /** Notes what it is told; an answer that never came promised nothing. */
  async function client(): Promise<void> {
    while (!isResting) {
      const count = 1 + Math.floor(Math.random() * MAX_EVENTS)
      const told = running && (await ask(`/record?count=${count}`).catch(() => undefined))
      for (const { id, durability } of (told ?? []) as Told[]) {
        if (id === undefined || durability === 'none') continue
        book.promise({ id, durability })
        if (durability !== 'memory') promised.push(id)
      }
      await pause(Math.random() * 2 * MEAN_PAUSE_MS)
    }
  }

  return {
    name,
    strikes: ['killed', 'killed', 'away'],
    async start() {
      await mkdir(folder, { recursive: true })
      await writeFile(code, await bundleWorker(ENTRY))
      await start()
      clients.push(...Array.from({ length: CLIENTS }, client))
    },
    async strike(kind, random) {
      await kill()
      if (kind === 'away') await pause(random.whole(1_000, 4_000))
      await start()
    },
    async settle() {
      isResting = true
      await Promise.all(clients)
      // No request reaches every shard: their alarms bring what waits.
      await untilEmpty(name, async () => {
        promised = promised.filter((id) => !hasArrived(id))
        return { waiting: promised.length, trouble: undefined }
      })
    },
    async stop() {
      isResting = true
      await kill()
    },
  }
}
