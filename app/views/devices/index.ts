/** The devices of the mesh: how each is, what it can do, and taking one out. */
import Icon from '@lucide/svelte/icons/waypoints'
import type { ViewDescriptor } from '../view.ts'

export const devicesView: ViewDescriptor = {
  id: 'devices',
  title: 'nav.devices',
  icon: Icon,
  group: 'mesh',
  forGuests: true,
  load: () => import('./View.svelte'),
}
