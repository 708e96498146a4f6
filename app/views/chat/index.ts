/** The chat: list, thread on its strand, composer, and why a device answered. The first place one sees. */
import Icon from '@lucide/svelte/icons/message-square'
import type { ViewDescriptor } from '../view.ts'

export const chatView: ViewDescriptor = {
  id: 'chat',
  title: 'nav.chat',
  icon: Icon,
  group: 'talk',
  forGuests: true,
  load: () => import('./View.svelte'),
}
