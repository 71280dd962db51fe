/** A real browser tells its pages when the network is back. The stage's cable is cut elsewhere, so the stage tells them. */
const CHANNEL = 'halftone-stage'

/** From now on this page hears of a network that is back, as a page does. */
export function hearNetwork(): void {
  new BroadcastChannel(CHANNEL).addEventListener('message', () => window.dispatchEvent(new Event('online')))
}

/** Tells every page of this browser, this one too. */
export function tellNetworkIsBack(): void {
  const channel = new BroadcastChannel(CHANNEL)
  // Another object of the channel hears it, also within the page that speaks.
  channel.postMessage('online')
  channel.close()
}
