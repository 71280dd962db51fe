import { eventId } from '../meter/contract.ts'
import type { DeadLetter, Outbox } from '../outbox/contract.ts'

/** The dead letters of one account: another's are none of its business. */
export async function deadLettersOf(outbox: Outbox, accountTag: string): Promise<DeadLetter[]> {
  return (await outbox.deadLetters()).filter((letter) => letter.accountTag === accountTag)
}

/** One dead letter a line, for people and their tools. The event stands as it was recorded. */
export function toNdjson(letters: readonly DeadLetter[]): string {
  const line = ({ stream, seq, event, code, detail, diedAtMs }: DeadLetter) => {
    const diedAt = new Date(diedAtMs).toISOString()
    return `${JSON.stringify({ id: eventId(stream, seq), event: JSON.parse(event), code, detail, diedAt })}\n`
  }
  return letters.map(line).join('')
}
