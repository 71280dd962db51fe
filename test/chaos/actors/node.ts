import { cp, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { mountSmallVolume } from '../../matrix/engines/small-volume.ts'
import type { Book } from '../book.ts'
import type { Actor } from '../contract.ts'
import type { NodeAgentProcessOptions } from '../processes/contract.ts'
import type { Random } from '../random.ts'
import { type Mortal, mortal } from './mortal.ts'
import { untilEmpty } from './until-empty.ts'

export interface NodeActorOptions extends Omit<NodeAgentProcessOptions, 'clockMs'> {
  readonly name: string
  readonly book: Book
}

const SCRIPT = new URL('../processes/node-agent.ts', import.meta.url).pathname
const PROCESSES = 2
const DAY_MS = 86_400_000
const ANSWER_MS = 60_000
/** Room for an outbox that nobody empties for a while. */
const VOLUME_MIB = 48

/** Node processes that share one outbox folder. As root the folder is a small volume of its own, which can be full. */
export function nodeActor({ name, book, ...options }: NodeActorOptions): Actor {
  const { folder } = options
  const processes = Array.from({ length: PROCESSES }, () => mortal(SCRIPT))
  const mayMount = process.getuid?.() === 0
  const answers = new Map<Mortal, (waiting: { waiting: number; trouble: string | undefined }) => void>()
  let unmount: (() => Promise<void>) | undefined
  let clockMs = 0
  const filler = join(folder, 'filler')

  for (const each of processes) {
    each.onLine((line) => {
      const [what, first = '', second = ''] = line.split(' ')
      if (what === 'promise') for (const id of second.split(',')) book.promise({ id, durability: first })
      else if (what === 'bury') book.bury(first, second)
      else if (what === 'waiting') answers.get(each)?.({ waiting: Number(first), trouble: second })
    })
  }

  const startOne = async (one: Mortal) => void (await one.start([JSON.stringify({ ...options, clockMs })]))

  /** Undefined when it did not answer: it may be dead. */
  async function ask(one: Mortal): Promise<{ waiting: number; trouble: string | undefined }> {
    const { promise, resolve } = Promise.withResolvers<{ waiting: number; trouble: string | undefined }>()
    answers.set(one, resolve)
    one.say('waiting')
    return Promise.race([promise, pause(ANSWER_MS, { waiting: Number.NaN, trouble: 'no answer' }, { ref: false })])
  }

  const STRIKES: Readonly<Record<string, (random: Random) => Promise<void>>> = {
    async killed(random) {
      const one = random.pick(processes)
      await one.end('SIGKILL')
      await pause(random.whole(0, 1_000))
      await startOne(one)
    },
    async terminated(random) {
      const one = random.pick(processes)
      await one.end('SIGTERM')
      await startOne(one)
    },
    async 'all killed'() {
      await Promise.all(processes.map((one) => one.end('SIGKILL')))
      await Promise.all(processes.map(startOne))
    },
    async 'clock jumps'(random) {
      const ms = random.whole(-10, 10) * DAY_MS - clockMs
      clockMs += ms
      for (const one of processes) one.say(`clock ${ms}`)
    },
    async 'disk full'(random) {
      // Asks for more than there is: what fits is taken.
      await writeFile(filler, new Uint8Array(2 ** 26)).catch(() => {})
      await pause(random.whole(500, 4_000))
      await rm(filler, { force: true })
    },
  }

  return {
    name,
    strikes: Object.keys(STRIKES).filter((kind) => mayMount || kind !== 'disk full'),
    async start() {
      await mkdir(folder, { recursive: true })
      if (mayMount) unmount = await mountSmallVolume(folder, VOLUME_MIB)
      await Promise.all(processes.map(startOne))
    },
    strike: async (kind, random) => STRIKES[kind]?.(random),
    async settle() {
      await rm(filler, { force: true })
      for (const one of processes) {
        if (!one.isAlive) await startOne(one)
        one.say('rest')
      }
      try {
        await untilEmpty(name, async () => {
          const all = await Promise.all(processes.map(ask))
          const worst = all.toSorted((a, b) => b.waiting - a.waiting)[0]
          return worst ?? { waiting: Number.NaN, trouble: 'no process' }
        })
      } catch (error) {
        // The volume ends with this run; whoever has to find out needs what is on it.
        await cp(folder, `${folder}-kept`, { recursive: true })
        throw error
      }
    },
    async stop() {
      await Promise.all(processes.map((one) => one.end('SIGTERM')))
      await unmount?.()
    },
  }
}
