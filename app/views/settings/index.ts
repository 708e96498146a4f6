/** What one may choose for this page, and what it says about itself. */
import Icon from '@lucide/svelte/icons/settings-2'
import type { ViewDescriptor } from '../view.ts'

export const settingsView: ViewDescriptor = {
  id: 'settings',
  title: 'nav.settings',
  icon: Icon,
  group: 'self',
  forGuests: true,
  load: () => import('./View.svelte'),
}
