import type { BridgeSending } from '../../bridge/contract.ts'
import type { Outbox, SenderNews } from '../../outbox/contract.ts'
import type { Runtime } from '../../runtime/contract.ts'
import type { Agent } from '../agent.ts'
import * as extras from '../extras.ts'
import { present } from '../later.ts'
import { type AgentOptions, readOptions } from '../options.ts'
import { type OutboxWatch, RunningAgent } from '../running-agent.ts'
import { Sender } from '../sender.ts'
import type { SendingOptions } from '../sending.ts'

export interface AccountsOptions {
  /** All but the account and its token, which follow from the tag. */
  readonly options: Omit<AgentOptions, 'account' | 'token'>
  readonly token: (account: string) => string | Promise<string>
  readonly runtime: Runtime
  /** One for all accounts; whoever opened it closes it. */
  readonly onNews: (accountTag: string, news: Partial<SenderNews>) => void
  readonly openOutbox: (name: string, watch: OutboxWatch) => Outbox | Promise<Outbox>
}

interface Account {
  readonly agent: Agent
  readonly sender: Sender
}

/** An agent for each account tag that this process met: it sends what waits of that account, and of no other. */
export class Accounts implements BridgeSending {
  readonly #options: AccountsOptions
  readonly #accounts = new Map<string, Account>()

  constructor(options: AccountsOptions) {
    this.#options = options
  }

  /** The account's agent, made at the first call. */
  agent(accountTag: string): Agent {
    return this.#of(accountTag).agent
  }

  stored(accountTag: string, events: number, bytes: number): void {
    this.#of(accountTag).sender.heard(events, bytes)
  }

  async flush(accountTag: string, mayForce: boolean): Promise<void> {
    const { agent, sender } = this.#of(accountTag)
    // Pages may ask as often as they like, but not cut every wait short.
    await (mayForce ? agent.flush() : sender.flush('interval'))
  }

  pause(accountTag: string, reason: string): void {
    this.#of(accountTag).agent.pause(reason)
  }

  resume(accountTag: string, reason: string): void {
    this.#of(accountTag).agent.resume(reason)
  }

  changed(accountTag: string): void {
    this.#of(accountTag).sender.changed()
  }

  async close(): Promise<void> {
    await Promise.all([...this.#accounts.values()].map(({ agent }) => agent.close()))
  }

  #of(accountTag: string): Account {
    const known = this.#accounts.get(accountTag)
    if (known) return known
    const account = this.#start(accountTag)
    this.#accounts.set(accountTag, account)
    return account
  }

  #start(account: string): Account {
    const { options, token, runtime, openOutbox, onNews } = this.#options
    const settings = readOptions({ ...options, account, token: () => token(account) })
    const senders: Sender[] = []
    const createSending = (given: SendingOptions) => {
      const sender = new Sender({ ...given, settings })
      senders.push(sender)
      return sender
    }
    const agent = new RunningAgent(settings, { runtime, openOutbox }, createSending, present(extras), present(extras))
    agent.on('settled', ({ received }) => onNews(account, { received }))
    agent.on('deadletter', (letter) => onNews(account, { dead: [letter] }))
    agent.on('trouble', (trouble) => onNews(account, { trouble }))
    return { agent, sender: senders[0] as Sender }
  }
}
