import { mount, unmount } from 'svelte'
import type { HelperPage } from '../../../app/state/index.ts'
import { Shell, Unlock } from '../../../app/shell/index.ts'
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
const helper: HelperPage = {
  isKnown: () => true,
  place: () =>
    Promise.resolve(
      name === 'add-closed'
        ? { lan: false, page: undefined, trust: undefined, guests: false }
        : {
            lan: true,
            page: 'https://192.168.7.7:7539/',
            trust: 'http://192.168.7.7:7539/trust',
            guests: name === 'guest',
          },
    ),
  requestPass: () => Promise.resolve('join=AA'),
  isPass: () => true,
}

if (target !== null && scene.unlock !== undefined) {
  const screen = mount(Unlock, { target, props: { lock: scene.unlock } })
  void scene.unlock.opened.then(() => unmount(screen)).then(() => show(target))
} else if (target !== null) show(target)

function show(place: HTMLElement): void {
  const { peer, lock, keeping } = scene
  const wipe = (): Promise<void> => wipeBrowser({ window, prefix: 'plexus', close: () => peer.close() })
  mount(Shell, { target: place, props: { peer, lock, keeping, about: { version: '0.1.0 preview', wipe, helper } } })
}
