import type { DeadLetter, Outbox, OutboxTotals, StreamSummary } from '../../outbox/contract.ts'

type LetterId = Pick<DeadLetter, 'stream' | 'seq'>

/** An outbox of many accounts, as one of them may see it. */
export async function streamsOf(outbox: Outbox, account: string): Promise<StreamSummary[]> {
  return (await outbox.streams()).filter(({ accountTag }) => accountTag === account)
}

export async function lettersOf(outbox: Outbox, account: string): Promise<DeadLetter[]> {
  return (await outbox.deadLetters()).filter(({ accountTag }) => accountTag === account)
}

/** Those of the letters that are the account's. */
export async function ownLetters<T extends LetterId>(
  outbox: Outbox,
  account: string,
  letters: readonly T[],
): Promise<T[]> {
  const own = await lettersOf(outbox, account)
  return letters.filter((letter) => own.some(({ stream, seq }) => stream === letter.stream && seq === letter.seq))
}

/** Events of the account that are in the outbox, those put off too. */
export async function waitingOf(outbox: Outbox, account: string): Promise<number> {
  const streams = await streamsOf(outbox, account)
  return streams.reduce((sum, { recorded, settled, dead, dropped }) => {
    const lost = Object.values(dropped).reduce((total, count) => total + count, 0)
    return sum + recorded - settled - dead - lost
  }, 0)
}

/** Bytes are counted for all accounts together: an account's share is told by its events. */
export async function totalsOf(outbox: Outbox, account: string): Promise<OutboxTotals> {
  const events = await waitingOf(outbox, account)
  const { length: deadLetters } = await lettersOf(outbox, account)
  const all = await outbox.totals()
  return { events, deadLetters, bytes: all.events === 0 ? 0 : Math.round((all.bytes * events) / all.events) }
}
