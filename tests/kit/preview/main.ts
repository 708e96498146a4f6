import { mount } from 'svelte'
import { Shell } from '../../../app/shell/index.ts'
import { wipeBrowser } from '../../../app/ports/wipe.ts'
import '../../../app/theme/index.ts'
import { createScene, SCENARIOS } from './scenarios.ts'

const query = new URLSearchParams(window.location.search)
const name = SCENARIOS.find((scenario) => scenario === query.get('scenario')) ?? 'empty'
const scene = createScene(name)
// tests put words into the mouth of the fake device
Object.assign(window, { scene })
window.history.replaceState(null, '', `${window.location.pathname}${scene.search}`)

const target = document.getElementById('app')
const wipe = (): Promise<void> => wipeBrowser({ window, prefix: 'plexus', close: () => scene.peer.close() })
if (target !== null) mount(Shell, { target, props: { peer: scene.peer, about: { version: '0.1.0 preview', wipe } } })
