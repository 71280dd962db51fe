import { drainUsage } from '../../../src/service-worker.ts'

drainUsage({
  relay: location.origin,
  token: () => fetch('/usage-token?worker').then((answer) => answer.text()),
})
