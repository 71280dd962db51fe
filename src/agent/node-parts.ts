import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Outbox } from '../outbox/contract.ts'
import type { HeldLeases } from '../outbox/node/open.ts'
import { joinNodeOutbox } from '../outbox/node/shared.ts'
import { resilientOutbox } from '../outbox/resilient/open.ts'
import { type NodeRuntime, type NodeRuntimeOptions, nodeRuntime } from '../runtime/node.ts'
import { lockPath, nodeLocks } from '../runtime/node-locks.ts'
import { isFileLockHeld, sweepFileLocks, takeFileLock } from '../sqlite/file-lock.ts'
import { MetertapError } from '../wire/errors.ts'
import type { OutboxWatch } from './running-agent.ts'

export interface NodePartsOptions extends Omit<NodeRuntimeOptions, 'locks'> {
  /** Where the outbox is. */
  readonly folder: string
  /** Name of the outbox in that folder. */
  readonly outbox: string
}

/** What startAgent() needs where there is a file system: Node, and Electron's main process. */
export interface NodeParts {
  readonly runtime: NodeRuntime
  /** Opens within the call. */
  readonly openOutbox: (name: string, watch: OutboxWatch) => Outbox
}

/**
 * An outbox in a folder that any number of processes and worker threads share. They do not elect a sender: each sends,
 * a lease keeps the others from what it sends, and nobody ever waits for another, however long that one hangs. A lease
 * ends with its holder, and a roll-up whose owner died is closed by the others: each agent holds a file lock by which
 * the others see whether it lives, and the operating system gives that back when it dies. Nothing has to be
 * synchronised by clocks.
 */
export function nodeParts({ folder, outbox, ...given }: NodePartsOptions): NodeParts {
  const place = resolve(folder)
  const locksFolder = join(place, `${encodeURIComponent(outbox)}.locks`)
  const { setTimer } = nodeRuntime()
  const locks = { ...nodeLocks({ folder: locksFolder, setTimer }), query: async () => ({}) }
  const runtime = nodeRuntime({ ...given, locks })
  return {
    runtime,
    openOutbox: (name, watch) => openWithin(place, { name, runtime, watch, locksFolder }),
  }
}

/** Names to try before an agent does without a lock. */
const MAX_NAMES = 5

interface Within {
  readonly name: string
  readonly runtime: NodeRuntime
  readonly watch: OutboxWatch
  readonly locksFolder: string
}

function openWithin(folder: string, { name, runtime, watch, locksFolder }: Within): Outbox {
  const { now: clock, monotonic, newStreamId: random } = runtime
  const spell = createSpell(runtime, watch)
  const primary = joinNodeOutbox({
    ...{ folder, name, random, clock, monotonic },
    holdLeases: () => holdLeases(locksFolder, random),
    onFailed: (error) => spell.begin('opening', error),
    onOpened: () => spell.end('opening'),
    onDamaged: (error) => spell.tell(error),
  })
  return resilientOutbox({
    primary,
    onDegraded: (error) => spell.begin('storing', error),
    onRecovered: () => spell.end('storing'),
  })
}

/** Undefined where there can be no locks: then leases end with their time. */
function holdLeases(folder: string, random: () => string): HeldLeases | undefined {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    sweepFileLocks(folder)
    for (let tries = 0; tries < MAX_NAMES; tries++) {
      const own = random()
      const lock = takeFileLock(lockPath(folder, own))
      // Another process that sweeps had it for a moment.
      if (!lock) continue
      const isAlive = (holder: string) => isFileLockHeld(lockPath(folder, holder))
      return { holders: { own, isAlive }, release: () => lock.release() }
    }
  } catch {
    // The file system has no such locks.
  }
  return undefined
}

type Trouble = 'opening' | 'storing'

/** One spell in memory, whatever its reasons: begun by the first, ended with the last. */
function createSpell({ queueMicrotask }: Pick<NodeRuntime, 'queueMicrotask'>, watch: OutboxWatch) {
  const troubles = new Set<Trouble>()
  // In a later step: who makes the agent has to have a chance to listen.
  const later = (tell: () => void) => queueMicrotask(() => queueMicrotask(tell))
  return {
    begin(trouble: Trouble, cause: unknown) {
      if (troubles.size === 0) later(() => watch.onDegraded(inMemory(cause)))
      troubles.add(trouble)
    },
    end(trouble: Trouble) {
      if (troubles.delete(trouble) && troubles.size === 0) later(() => watch.onRecovered())
    },
    tell: (error: MetertapError) => later(() => watch.onTrouble(error)),
  }
}

/** What the application hears when events cannot be stored: the reason, and what it means. */
function inMemory(cause: unknown): MetertapError {
  const { code = 'outbox_unavailable', message = String(cause) } = cause instanceof MetertapError ? cause : {}
  return new MetertapError(code, `Events are kept in memory and end with this process. ${message}`, {}, cause)
}
