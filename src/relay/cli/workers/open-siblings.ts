import type { Siblings } from '../../operate/siblings.ts'
import type { FromWorker, ToWorker } from './contract.ts'

/** The worker's end of the line to the process that it belongs to. */
export interface Line {
  send(message: FromWorker): unknown
  onMessage(handler: (message: unknown) => void): void
}

const ANSWER_WITHIN_MS = 5_000
/** Who tells nothing is counted as it told last. */
const IGNORE = (): void => {}

/** The other workers, by way of the process that all belong to. */
export function openSiblings(line: Line): Siblings {
  const waiting = new Map<number, (text: string) => void>()
  let requests = 0

  return {
    join(tell) {
      line.onMessage((given) => {
        const message = given as ToWorker
        if (message?.metertap === 'all') waiting.get(message.request)?.(message.text)
        if (message?.metertap !== 'tell') return
        const { round } = message
        tell().then((snapshot) => line.send({ metertap: 'told', round, snapshot }), IGNORE)
      })
      tell().then((snapshot) => line.send({ metertap: 'here', snapshot }), IGNORE)
    },
    text() {
      const request = ++requests
      return new Promise<string>((resolve, reject) => {
        const late = setTimeout(() => reject(new Error('The workers’ metrics did not come.')), ANSWER_WITHIN_MS)
        waiting.set(request, (text) => {
          clearTimeout(late)
          resolve(text)
        })
        line.send({ metertap: 'wanted', request })
      }).finally(() => waiting.delete(request))
    },
  }
}
