import { Hono } from 'hono'
import type { PageCommands } from '../contract.ts'

type Args<Name extends keyof PageCommands> = Parameters<PageCommands[Name]>
type Result<Name extends keyof PageCommands> = ReturnType<PageCommands[Name]>

/** A line to one page: it asks for commands and answers them. */
export interface PageLine {
  readonly id: string
  call<Name extends keyof PageCommands>(name: Name, ...args: Args<Name>): Promise<Result<Name>>
  /** Sends a command that the page may not live to answer. */
  tell<Name extends keyof PageCommands>(name: Name, ...args: Args<Name>): void
  /** What happens when the page strikes (see Blow): gets the ids that it has just recorded. */
  onStrike(react: (ids: string[]) => void | Promise<void>): void
}

export interface Switchboard {
  /** The paths that pages call. */
  readonly routes: Hono
  /** The line to the page with this id, once it has called for the first time. */
  connect(id: string, timeoutMs?: number): Promise<PageLine>
}

interface Command {
  readonly call: number
  readonly name: string
  readonly args: readonly unknown[]
}

const CALL_TIMEOUT_MS = 30_000
const POLL_MS = 20_000

class Line implements PageLine {
  readonly id: string
  readonly #queue: Command[] = []
  readonly #answers = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>()
  #give: (() => void) | undefined
  #calls = 0
  #react: (ids: string[]) => void | Promise<void> = () => {}

  constructor(id: string) {
    this.id = id
  }

  call<Name extends keyof PageCommands>(name: Name, ...args: Args<Name>): Promise<Result<Name>> {
    const call = this.#post(name, args)
    return new Promise((resolve, reject) => {
      const slow = () => reject(new Error(`Page ${this.id} did not answer "${name}" in ${CALL_TIMEOUT_MS} ms.`))
      const timer = setTimeout(slow, CALL_TIMEOUT_MS)
      const end = () => {
        clearTimeout(timer)
        this.#answers.delete(call)
      }
      this.#answers.set(call, {
        resolve: (value) => {
          end()
          resolve(value)
        },
        reject: (error) => {
          end()
          reject(error)
        },
      })
    })
  }

  tell<Name extends keyof PageCommands>(name: Name, ...args: Args<Name>): void {
    this.#post(name, args)
  }

  onStrike(react: (ids: string[]) => void | Promise<void>): void {
    this.#react = react
  }

  strike(ids: string[]): void | Promise<void> {
    return this.#react(ids)
  }

  /** The next command, or undefined when none came in time. A newer poll ends an older one. */
  async next(gone: AbortSignal): Promise<Command | undefined> {
    this.#give?.()
    if (this.#queue.length === 0) {
      const { promise, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(resolve, POLL_MS)
      gone.addEventListener('abort', () => resolve())
      this.#give = resolve
      await promise
      clearTimeout(timer)
    }
    return gone.aborted ? undefined : this.#queue.shift()
  }

  answer({ call, result, error }: { call: number; result?: unknown; error?: string }): void {
    const waiting = this.#answers.get(call)
    if (error === undefined) waiting?.resolve(result as never)
    else waiting?.reject(new Error(`Page ${this.id}: ${error}`))
  }

  #post(name: string, args: readonly unknown[]): number {
    const call = this.#calls++
    this.#queue.push({ call, name, args })
    this.#give?.()
    return call
  }
}

/** Connects the program with the pages that drive themselves: they poll for commands and post answers. */
export function createSwitchboard(): Switchboard {
  const lines = new Map<string, Line>()
  const waiting = new Map<string, (line: Line) => void>()
  const routes = new Hono()

  routes.post('/next/:id', async (c) => {
    const id = c.req.param('id')
    const line = lines.get(id) ?? new Line(id)
    lines.set(id, line)
    waiting.get(id)?.(line)
    waiting.delete(id)
    const command = await line.next(c.req.raw.signal)
    return command ? c.json(command) : c.body(null, 204)
  })
  routes.post('/answer/:id', async (c) => {
    lines.get(c.req.param('id'))?.answer(await c.req.json())
    return c.body(null, 204)
  })
  routes.post('/strike/:id', async (c) => {
    await lines.get(c.req.param('id'))?.strike(await c.req.json())
    return c.body(null, 204)
  })

  return {
    routes,
    connect(id, timeoutMs = CALL_TIMEOUT_MS) {
      const line = lines.get(id)
      if (line) return Promise.resolve(line)
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`Page ${id} did not call in ${timeoutMs} ms.`)), timeoutMs)
        waiting.set(id, (caller) => {
          clearTimeout(timer)
          resolve(caller)
        })
      })
    },
  }
}
