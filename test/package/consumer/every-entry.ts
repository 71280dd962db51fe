// What a strict TypeScript makes of every entry's declarations, those of its own dependencies included.
export * as browser from 'metertap'
export * as electronMain from 'metertap/electron-main'
export * as electronPreload from 'metertap/electron-preload'
export * as electronRenderer from 'metertap/electron-renderer'
export * as grant from 'metertap/grant'
export * as node from 'metertap/node'
