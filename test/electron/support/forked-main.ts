import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { FromMain, MainSetup, ToMain } from './protocol.ts'

export interface ForkedWindow {
  invoke(message: unknown): Promise<unknown>
  gone(how: 'crash' | 'close'): void
}

/** A main process in a process of its own; what goes there and back is copied as Electron copies it. */
export class ForkedMain {
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>()
  #ids = 0
  #windows = 0

  private constructor(child: ChildProcess) {
    this.#child = child
    child.on('message', (message: FromMain) => this.#hear(message))
  }

  static async start(setup: MainSetup): Promise<ForkedMain> {
    const program = fileURLToPath(new URL('main-process.ts', import.meta.url))
    const child = fork(program, [JSON.stringify(setup)], { serialization: 'advanced', execArgv: [] })
    const main = new ForkedMain(child)
    await once(child, 'message')
    return main
  }

  openWindow(frame: { readonly origin: string; readonly url: string }): ForkedWindow {
    const window = ++this.#windows
    this.#say({ kind: 'open', window, ...frame })
    return {
      invoke: (message) => this.#ask((id) => ({ kind: 'call', window, id, message })),
      gone: (how) => this.#say({ kind: 'gone', window, how }),
    }
  }

  async flush(): Promise<void> {
    await this.#ask((id) => ({ kind: 'flush', id }))
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    this.#child.kill('SIGKILL')
    await once(this.#child, 'exit')
  }

  /** Resolves with the exit code. */
  async quit(): Promise<number | null> {
    this.#say({ kind: 'quit' })
    await once(this.#child, 'exit')
    return this.#child.exitCode
  }

  #ask(question: (id: number) => ToMain): Promise<unknown> {
    const id = this.#ids++
    const waiting = Promise.withResolvers<unknown>()
    this.#waiting.set(id, waiting)
    this.#say(question(id))
    return waiting.promise
  }

  #say(message: ToMain): void {
    // Into a process that was killed: lost, as it would be.
    if (this.#child.connected) this.#child.send(message, () => {})
  }

  #hear(message: FromMain): void {
    if (message.kind === 'ready') return
    const waiting = this.#waiting.get(message.id)
    this.#waiting.delete(message.id)
    if (message.kind === 'answer') waiting?.resolve(message.value)
    else waiting?.reject(new Error(message.text))
  }
}
