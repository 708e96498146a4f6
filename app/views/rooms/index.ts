/** Rooms: people and the AI together, with what is known of each message. There only where the page has rooms. */
import Icon from '@lucide/svelte/icons/users-round'
import type { ViewDescriptor } from '../view.ts'

export const roomsView: ViewDescriptor = {
  id: 'rooms',
  title: 'nav.rooms',
  icon: Icon,
  group: 'talk',
  needs: 'rooms',
  load: () => import('./View.svelte'),
}
