/** Whether a page runs its code: what reaches a frozen one waits until it thaws, and a dead one hears nothing more. */
export class PageState {
  #state: 'alive' | 'frozen' | 'dead' = 'alive'
  #backlog: (() => void)[] = []

  freeze(): void {
    this.#state = 'frozen'
  }

  thaw(): void {
    this.#state = 'alive'
    for (const callback of this.#backlog.splice(0)) callback()
  }

  kill(): void {
    this.#state = 'dead'
    this.#backlog = []
  }

  run(callback: () => void): void {
    if (this.#state === 'alive') callback()
    else if (this.#state === 'frozen') this.#backlog.push(callback)
  }

  /** The promise as this page sees it. */
  see<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      promise.then(
        (value) => this.run(() => resolve(value)),
        (error) => this.run(() => reject(error)),
      )
    })
  }
}
