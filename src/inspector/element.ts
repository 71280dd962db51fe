import { Panel } from './panel.ts'
import { STYLES } from './styles.ts'

export const TAG = 'metertap-inspector'

/** The element, which is nothing but a closed room for its panel. */
export interface InspectorElement extends HTMLElement {
  readonly panel: Panel
}

/** Says what `<metertap-inspector>` is, once a page. A class of elements cannot be made where there are none. */
export function defineElement(): void {
  if (customElements.get(TAG)) return
  class MetertapInspector extends HTMLElement implements InspectorElement {
    readonly panel = new Panel()

    constructor() {
      super()
      const root = this.attachShadow({ mode: 'open' })
      const sheet = new CSSStyleSheet()
      sheet.replaceSync(STYLES)
      root.adoptedStyleSheets = [sheet]
      root.append(this.panel.element)
    }

    connectedCallback(): void {
      this.panel.start()
    }

    disconnectedCallback(): void {
      this.panel.stop()
    }
  }
  customElements.define(TAG, MetertapInspector)
}
