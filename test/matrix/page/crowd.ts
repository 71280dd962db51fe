import type { CrowdCommand } from '../contract.ts'

interface Ask {
  readonly call: number
  readonly name: CrowdCommand
  readonly args: unknown
  readonly only: readonly number[] | undefined
}

type Word =
  | { readonly kind: 'ready'; readonly tab: number }
  | { readonly kind: 'ask'; readonly ask: Ask }
  | { readonly kind: 'answer'; readonly call: number; readonly tab: number; readonly result: unknown }

/** Speaks to the tabs of a crowd over a channel: a browser has too few connections for a poll from each. */
export class Captain {
  readonly #channel: BroadcastChannel
  readonly #heard = new Set<(word: Word) => void>()
  #calls = 0
  #tabs = 0

  constructor(name: string) {
    this.#channel = new BroadcastChannel(name)
    this.#channel.onmessage = ({ data }) => {
      for (const listener of this.#heard) listener(data)
    }
  }

  /** Opens one tab after the other, so that the browser can keep up. */
  async open(urls: readonly string[], openTab: (url: string) => void): Promise<void> {
    for (const [tab, url] of urls.entries()) {
      const ready = this.#until((word) => word.kind === 'ready' && word.tab === tab)
      openTab(url)
      await ready
    }
    this.#tabs = urls.length
  }

  /** Answers in the order of the tabs; of tabs that leave, none is awaited. */
  async ask(name: CrowdCommand, args: unknown, only?: readonly number[]): Promise<unknown[]> {
    const call = this.#calls++
    const asked = only ?? Array.from({ length: this.#tabs }, (_, tab) => tab)
    const results: unknown[] = []
    const last = name === 'leave' || name === 'recordAndStrike' ? undefined : this.#collect(call, asked.length, results)
    this.#channel.postMessage({ kind: 'ask', ask: { call, name, args, only } } satisfies Word)
    await last
    return asked.map((tab) => results[tab])
  }

  #collect(call: number, count: number, results: unknown[]): Promise<void> {
    let left = count
    return this.#until((word) => {
      if (word.kind !== 'answer' || word.call !== call) return false
      results[word.tab] = word.result
      left--
      return left === 0
    })
  }

  #until(satisfied: (word: Word) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const listener = (word: Word) => {
        if (!satisfied(word)) return
        this.#heard.delete(listener)
        resolve()
      }
      this.#heard.add(listener)
    })
  }
}

/** One tab of the crowd. */
export function joinCrowd(
  name: string,
  tab: number,
  handlers: Readonly<Record<string, (args: never) => unknown>>,
): void {
  const channel = new BroadcastChannel(name)
  const say = (word: Word) => channel.postMessage(word)
  channel.onmessage = async ({ data }: MessageEvent<Word>) => {
    if (data.kind !== 'ask') return
    const { call, name: command, args, only } = data.ask
    if (only && !only.includes(tab)) return
    const result = await handlers[command]?.(args as never)
    say({ kind: 'answer', call, tab, result })
  }
  say({ kind: 'ready', tab })
}
