/** From the sources the page is bundled when it is first asked for; the build puts the finished files in this place. */
export { bundlePage as loadFiles } from './bundle-page.ts'
