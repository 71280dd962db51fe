import type { QueueCall, QueueFace, ScriptLibrary } from './contract.ts'

/**
 * The script that goes before metertap.global.js, as a file or inline: takes record() calls from the first moment on, and
 * hands them over when the library has arrived. No module, no eval, nothing written into the page.
 */
const calls: QueueCall[] = []
let deliver: ((call: QueueCall) => void) | undefined
let library: ScriptLibrary | undefined
let start: Parameters<QueueFace['start']>[0] | undefined

const begin = () => {
  if (!library || !start || deliver) return
  deliver = library.fromQueue(start)
  for (const call of calls.splice(0)) deliver(call)
}

const queue: QueueFace = {
  record(meter, data, options) {
    let copy = data
    try {
      // The caller may go on to change it.
      copy = structuredClone(data)
    } catch {
      // Then it is no JSON either: record() will say so.
    }
    let taken: QueueCall['taken'] = () => {}
    const receipt = new Promise<Parameters<QueueCall['taken']>[0]>((resolve) => {
      taken = resolve
    })
    const call = { meter, data: copy, options: { at: Date.now(), ...options }, taken }
    if (deliver) deliver(call)
    else calls.push(call)
    return {
      receipt,
      get durable() {
        return receipt.then(({ durable }) => durable)
      },
    }
  },
  start(given) {
    start ??= given
    begin()
  },
  arrive(given) {
    library ??= given
    begin()
  },
}

globalThis.metertapQueue ??= queue
