/** Rooms: people and the AI together, with what is known of each message. */
import Icon from '@lucide/svelte/icons/users-round'
import type { ViewDescriptor } from '../view.ts'

export const roomsView: ViewDescriptor = {
  id: 'rooms',
  title: 'nav.rooms',
  icon: Icon,
  group: 'talk',
  load: () => import('./View.svelte'),
}
